"""Pictures of flawed surfaces, computed, with the truth known exactly: rolled steel, and ground magnetic tiles.

Each flaw has a depth between 0 and 1 for every pixel; the truth is where that is more than a half, before grain and
blur. Flaws share no pixel: one that would touch another is left out.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from planimeter.samples.optics import Grey, blur, smooth_noise
from planimeter.samples.picture import Picture

Flaw = Callable[["_Sheet"], tuple[Grey, float]]
"""Returns the depth [H, W] of one flaw, and the grey levels that its depth adds."""


@dataclass(frozen=True)
class SteelScene:
    """Hot-rolled steel, rolled from left to right. Lengths are pixels."""

    seed: int
    height: int
    width: int
    scratches: int = 0
    """Long, thin, bright, along the rolling direction."""
    inclusions: int = 0
    """Dark and drawn out along the rolling direction."""
    patches: int = 0
    """Large, dark and blotchy."""


@dataclass(frozen=True)
class TileScene:
    """A magnetic tile, ground from top to bottom. Lengths are pixels."""

    seed: int
    height: int
    width: int
    blowholes: int = 0
    """Small dark holes."""
    cracks: int = 0
    """Thin, dark, nearly upright."""
    frays: int = 0
    """Large, even, dark: where the grinding did not reach."""


@dataclass
class _Sheet:
    """A surface while it is drawn."""

    height: int
    width: int
    random: np.random.Generator

    @property
    def shape(self) -> tuple[int, int]:
        return self.height, self.width

    def grid(self) -> tuple[Grey, Grey]:
        y, x = np.mgrid[: self.height, : self.width].astype(np.float64)
        return y, x


def draw_steel(scene: SteelScene) -> Picture:
    """Return the picture of `scene`; the same scene gives the same picture, to a grey level."""
    sheet = _Sheet(scene.height, scene.width, np.random.default_rng(scene.seed))
    rolled = 3.0 * smooth_noise(sheet.shape, (1.2, 30), sheet.random)
    clouds = 5.0 * smooth_noise(sheet.shape, 60, sheet.random)
    # Where steel has patches it is bright and grainy.
    bright, grain = (150.0, 24.0) if scene.patches else (105.0, 3.5)
    ground = bright + rolled + clouds + grain * smooth_noise(sheet.shape, 0.7, sheet.random)
    flaws: Sequence[Flaw] = (
        [_patch] * scene.patches + [_inclusion] * scene.inclusions + [_scratch] * scene.scratches
    )
    return _finish(sheet, ground, flaws, 0.5)


def draw_tile(scene: TileScene) -> Picture:
    """Return the picture of `scene`; the same scene gives the same picture, to a grey level."""
    sheet = _Sheet(scene.height, scene.width, np.random.default_rng(scene.seed))
    _, x = sheet.grid()
    lit = 98 - 26 * np.abs(2 * x / scene.width - 0.9) ** 2
    ground = lit + 6 * smooth_noise(sheet.shape, (45, 0.8), sheet.random)
    ground += 5 * smooth_noise(sheet.shape, 40, sheet.random) + 3 * smooth_noise(
        sheet.shape, 0.7, sheet.random
    )
    flaws: Sequence[Flaw] = [_fray] * scene.frays + [_crack] * scene.cracks + [_blowhole] * scene.blowholes
    return _finish(sheet, ground, flaws, 0.6)


def _finish(sheet: _Sheet, ground: Grey, flaws: Sequence[Flaw], sharpness: float) -> Picture:
    """Return the surface with its flaws: each is tried some times until it touches none before it."""
    instances = np.zeros(sheet.shape, np.uint16)
    taken = np.zeros(sheet.shape, bool)
    for flaw in flaws:
        for _ in range(40):
            depth, added = flaw(sheet)
            inside = depth > 0.5
            if inside.sum() >= 12 and not (inside & taken).any():
                instances[inside] = instances.max() + 1
                taken |= blur(inside.astype(np.float64), 3) > 0.02
                ground = ground + added * depth
                break
    pixels = blur(ground, sharpness) + sheet.random.normal(0, 1.5, sheet.shape)
    return Picture(np.asarray(np.clip(np.rint(pixels), 0, 255), np.uint8), instances)


def _edge(distance: Grey, softness: float) -> Grey:
    """Return 1 well inside an outline, 0 well outside, a half on it; `distance` is negative inside."""
    return np.asarray(1 / (1 + np.exp(np.clip(distance / softness, -40, 40))))


def _stroke(sheet: _Sheet, length: float, half_width: float, slope: float, wobble: float) -> Grey:
    """Return the signed distance to a stroke that runs from left to right, somewhere on the sheet."""
    random = sheet.random
    y, x = sheet.grid()
    start = random.uniform(-0.2 * length, sheet.width - 0.6 * length)
    along = (x - start) / length
    middle = random.uniform(0.08, 0.92) * sheet.height + slope * (x - start)
    middle = middle + wobble * np.sin(2 * np.pi * (random.uniform(0.5, 1.2) * along + random.uniform()))
    ragged = 1 + 0.1 * smooth_noise((1, sheet.width), (0.0, 6.0), random)
    taper = np.sqrt(np.clip(4 * along * (1 - along), 0, 1))
    return np.asarray(np.abs(y - middle) - half_width * taper * ragged + 3.0 * ((along <= 0) | (along >= 1)))


def _scratch(sheet: _Sheet) -> tuple[Grey, float]:
    random = sheet.random
    length = random.uniform(0.5, 1.1) * sheet.width
    distance = _stroke(sheet, length, random.uniform(2.0, 4.2), random.normal(0, 0.03), random.uniform(0, 3))
    return _edge(distance, 0.5), random.uniform(70, 110)


def _inclusion(sheet: _Sheet) -> tuple[Grey, float]:
    random = sheet.random
    length = random.uniform(40, 110)
    distance = _stroke(sheet, length, random.uniform(3.5, 6.5), random.normal(0, 0.02), random.uniform(0, 2))
    return _edge(distance, 0.7), random.uniform(-48, -34)


def _blob(sheet: _Sheet, radius: float, stretch: float, raggedness: float, grain: float) -> Grey:
    """Return the signed distance, roughly in pixels, to a round outline with a ragged edge."""
    random = sheet.random
    y, x = sheet.grid()
    dy = (y - random.uniform(0.1, 0.9) * sheet.height) * stretch**0.5
    dx = (x - random.uniform(0.1, 0.9) * sheet.width) / stretch**0.5
    return np.asarray(np.hypot(dy, dx) - radius + raggedness * smooth_noise(sheet.shape, grain, random))


def _patch(sheet: _Sheet) -> tuple[Grey, float]:
    random = sheet.random
    distance = _blob(sheet, random.uniform(22, 38), random.uniform(1.2, 2.6), 7, 9)
    # Only the part that hangs together with the middle: what the noise has cut off is no patch of its own.
    return _edge(_connected(distance), 1.6), random.uniform(-105, -85)


def _connected(distance: Grey) -> Grey:
    """Return `distance` with the inside kept only where it can be reached from its deepest pixel."""
    reached = np.zeros(distance.shape, bool)
    reached[np.unravel_index(int(distance.argmin()), distance.shape)] = True
    inside = distance < 0
    count = 0
    while count != int(reached.sum()):
        count = int(reached.sum())
        for _ in range(8):
            grown: NDArray[np.bool_] = reached.copy()
            grown[1:] |= reached[:-1]
            grown[:-1] |= reached[1:]
            grown[:, 1:] |= reached[:, :-1]
            grown[:, :-1] |= reached[:, 1:]
            reached = grown & inside
    return np.asarray(np.where(inside & ~reached, 4.0, distance))


def _blowhole(sheet: _Sheet) -> tuple[Grey, float]:
    distance = _blob(sheet, sheet.random.uniform(4.5, 8), sheet.random.uniform(0.8, 2.2), 0.6, 3)
    return _edge(distance, 0.5), sheet.random.uniform(-55, -42)


def _fray(sheet: _Sheet) -> tuple[Grey, float]:
    distance = _blob(sheet, sheet.random.uniform(48, 62), sheet.random.uniform(0.4, 0.6), 2, 14)
    return _edge(_connected(distance), 1.0), sheet.random.uniform(-40, -32)


def _crack(sheet: _Sheet) -> tuple[Grey, float]:
    upright = _Sheet(sheet.width, sheet.height, sheet.random)
    length = sheet.random.uniform(50, 110)
    distance = _stroke(upright, length, sheet.random.uniform(1.5, 2.2), sheet.random.normal(0, 0.04), 2.0)
    return np.ascontiguousarray(_edge(distance, 0.35).T), sheet.random.uniform(-60, -45)
