"""Fluorescence pictures of cell nuclei, computed: physically plausible, and with the truth known exactly.

A widefield microscope in numbers: nuclei with chromatin texture, each a little in or out of focus, seen
through a point spread function over an uneven background, then photon shot noise and camera read noise.
The truth is each nucleus' outline before the optics blur it; nuclei may touch but share no pixel.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planimeter.samples.optics import Grey, blur
from planimeter.samples.picture import Picture


@dataclass(frozen=True)
class Scene:
    """What to draw. Lengths are pixels, light is photons per pixel."""

    seed: int
    height: int
    width: int
    nuclei: int
    radius: tuple[float, float]
    """Smallest and largest mean radius."""
    elongation: tuple[float, float]
    """Smallest and largest ratio of the long to the short axis."""
    bend: float
    """Strength of the bean shape; 0 is none."""
    touching: float
    """Chance that a nucleus is placed against another one."""
    light: tuple[float, float]
    """Photons of the dimmest and the brightest nucleus."""
    mitotic: float = 0.0
    """Chance of a small, condensed, very bright nucleus."""
    background: float = 60.0
    """Photons without any nucleus."""
    blur: float = 1.0
    """Standard deviation of the point spread function."""
    gain: float = 0.15
    """Grey levels per photon."""


@dataclass(frozen=True)
class _Nucleus:
    """Where one nucleus lies, and its outline in polar form."""

    y: float
    x: float
    radius: float
    elongation: float
    angle: float
    bend: float
    waves: NDArray[np.float64]
    """[3, 2]: amplitude and phase of the outline's 2nd, 3rd and 4th harmonic."""
    light: float
    defocus: float

    @property
    def reach(self) -> float:
        """A radius that certainly holds the outline."""
        return float(1.5 * self.radius * np.sqrt(self.elongation) + 2)


def draw_scene(scene: Scene) -> Picture:
    """Return the picture of `scene`; the same scene gives the same picture, to a grey level."""
    random = np.random.default_rng(scene.seed)
    light = np.zeros((scene.height, scene.width))
    instances = np.zeros((scene.height, scene.width), np.uint16)
    placed: list[_Nucleus] = []
    for _ in range(60 * scene.nuclei):
        if len(placed) == scene.nuclei:
            break
        nucleus = _propose(scene, placed, random)
        if _add(nucleus, len(placed) + 1, light, instances, random):
            placed.append(nucleus)
    return Picture(_expose(scene, light, random), instances)


def _propose(scene: Scene, placed: list[_Nucleus], random: np.random.Generator) -> _Nucleus:
    """Return a nucleus somewhere in the picture, or leaning on one that is already there."""
    mitotic = random.random() < scene.mitotic
    radius = random.uniform(*scene.radius) * (0.62 if mitotic else 1.0)
    elongation = random.uniform(*scene.elongation) * (1.4 if mitotic else 1.0)
    y, x = random.uniform(0, scene.height), random.uniform(0, scene.width)
    angle = random.uniform(0, np.pi)
    if placed and random.random() < scene.touching:
        other = placed[int(random.integers(len(placed)))]
        direction = random.uniform(0, 2 * np.pi)
        distance = (other.radius + radius) * random.uniform(0.95, 1.2)
        y, x = other.y + distance * np.sin(direction), other.x + distance * np.cos(direction)
    amplitudes = random.normal(0, [0.035, 0.025, 0.015])
    phases = random.uniform(0, 2 * np.pi, 3)
    brightness = np.exp(random.uniform(*np.log(scene.light)))
    return _Nucleus(
        y=y,
        x=x,
        radius=radius,
        elongation=elongation,
        angle=angle,
        bend=scene.bend * random.uniform(-1, 1),
        waves=np.stack([amplitudes, phases], axis=1),
        light=float(brightness * (2.6 if mitotic else 1.0)),
        defocus=float(abs(random.normal(0, 0.7))),
    )


def _add(
    nucleus: _Nucleus,
    number: int,
    light: Grey,
    instances: NDArray[np.uint16],
    random: np.random.Generator,
) -> bool:
    """Add the nucleus to `light` and `instances` unless it would share a pixel with another one."""
    height, width = light.shape
    top, left = int(max(0, nucleus.y - nucleus.reach)), int(max(0, nucleus.x - nucleus.reach))
    bottom = int(min(height, nucleus.y + nucleus.reach + 1))
    right = int(min(width, nucleus.x + nucleus.reach + 1))
    if top >= bottom or left >= right:
        return False
    depth = _depth(nucleus, *np.mgrid[top:bottom, left:right].astype(np.float64))
    inside = depth <= 1
    window = instances[top:bottom, left:right]
    seen = int(np.count_nonzero(inside))
    if seen < 0.35 * np.pi * nucleus.radius**2 or np.any(window[inside]):
        return False
    window[inside] = number
    # A nucleus is a flattened ball: nearly as thick at half its radius as in its middle, thin at its rim.
    thickness = np.sqrt(np.clip(1 - depth**3, 0, 1))
    chromatin = _texture(depth.shape, nucleus.radius, random)
    light[top:bottom, left:right] += blur(
        nucleus.light * (0.35 + 0.65 * thickness) * inside * chromatin, nucleus.defocus
    )
    return True


def _depth(nucleus: _Nucleus, y: Grey, x: Grey) -> Grey:
    """Return 0 at the centre, 1 on the outline and more outside, for each pixel [H, W]."""
    dy, dx = y - nucleus.y, x - nucleus.x
    sine, cosine = np.sin(nucleus.angle), np.cos(nucleus.angle)
    along = (cosine * dx + sine * dy) / nucleus.elongation**0.5
    across = (cosine * dy - sine * dx) * nucleus.elongation**0.5
    across = across + nucleus.bend * (along**2 / nucleus.radius - nucleus.radius / 3)
    theta = np.arctan2(across, along)
    outline = np.ones_like(theta)
    for harmonic, (amplitude, phase) in enumerate(nucleus.waves, start=2):
        outline += amplitude * np.cos(harmonic * theta + phase)
    return np.asarray(np.hypot(along, across) / (nucleus.radius * outline))


def _texture(shape: tuple[int, ...], radius: float, random: np.random.Generator) -> Grey:
    """Return chromatin as a factor around 1: grains of two sizes and a few dark nucleoli."""
    fine = blur(random.normal(0, 1, shape), 0.07 * radius + 0.4)
    coarse = blur(random.normal(0, 1, shape), 0.2 * radius + 0.4)
    grains = 0.13 * fine / (fine.std() + 1e-9) + 0.13 * coarse / (coarse.std() + 1e-9)
    return np.asarray(np.clip(1 + grains, 0.35, 1.7))


def _expose(scene: Scene, light: Grey, random: np.random.Generator) -> NDArray[np.uint8]:
    """Return what the camera reads [H, W]: optics, haze, background, shot and read noise, 8 bits."""
    y, x = np.mgrid[-1 : 1 : scene.height * 1j, -1 : 1 : scene.width * 1j]
    tilt = random.uniform(-0.2, 0.2, 2)
    background = scene.background * (1 + tilt[0] * y + tilt[1] * x - 0.12 * (x**2 + y**2))
    vignette = 1 - 0.1 * (x**2 + y**2)
    haze = 0.07 * blur(light, 22.0)
    photons = np.clip(blur(light, scene.blur) * vignette + haze + background, 0, None)
    # At these counts the normal distribution is as good as Poisson's, and it draws the same number of random
    # values whatever the rounding of the machine: so the picture is the same everywhere, to a grey level.
    electrons = photons + np.sqrt(photons) * random.normal(0, 1, light.shape)
    electrons += random.normal(0, 3.0, light.shape)
    return np.asarray(np.clip(np.rint(scene.gain * electrons), 0, 255), np.uint8)
