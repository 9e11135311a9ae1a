"""What every computed picture needs: a Gaussian blur, and smooth noise."""

import numpy as np
from numpy.typing import NDArray

Grey = NDArray[np.float64]


def blur(values: Grey, sigma: float | tuple[float, float]) -> Grey:
    """Return `values` [H, W] under a Gaussian, mirrored at the border.

    `sigma` is its standard deviation in pixels, or those down and across.
    """
    down, across = sigma if isinstance(sigma, tuple) else (sigma, sigma)
    if max(down, across) < 0.05:
        return values
    margin = int(4 * max(down, across)) + 1
    padded = np.pad(values, margin, mode="symmetric")
    fy = np.fft.fftfreq(padded.shape[0])[:, None]
    fx = np.fft.rfftfreq(padded.shape[1])[None, :]
    transfer = np.exp(-2 * np.pi**2 * ((down * fy) ** 2 + (across * fx) ** 2))
    blurred = np.fft.irfft2(np.fft.rfft2(padded) * transfer, s=padded.shape)
    return np.asarray(blurred[margin:-margin, margin:-margin])


def smooth_noise(
    shape: tuple[int, int], sigma: float | tuple[float, float], random: np.random.Generator
) -> Grey:
    """Return noise [H, W] of mean 0 and standard deviation 1 with grains of the size `sigma`."""
    noise = blur(random.normal(0, 1, shape), sigma)
    return np.asarray((noise - noise.mean()) / (noise.std() + 1e-9))
