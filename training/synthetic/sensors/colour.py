"""Applies the effects of a colour camera to uint8 images, gray or BGR: noise, blur, exposure, compression."""

from __future__ import annotations

import cv2
import numpy as np


def gaussian_noise(image: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Adds noise of a fixed strength in grey levels (the paper's)."""
    return _to_bytes(image + rng.normal(0, sigma, image.shape))


def shot_noise(image: np.ndarray, electrons_at_white: float, read_electrons: float, rng: np.random.Generator) -> np.ndarray:
    """Adds photon and read noise of a sensor.

    Args:
        image: uint8, gamma 2.
        electrons_at_white: full well; 500 a dark room at high gain, 20000 daylight.
        read_electrons: standard deviation of the read-out.
        rng: random generator.
    """
    electrons = (image / 255.0) ** 2 * electrons_at_white
    noisy = rng.normal(electrons, np.sqrt(electrons + read_electrons**2))
    return _to_bytes(255 * np.sqrt(np.clip(noisy / electrons_at_white, 0, 1)))


def motion_blur(image: np.ndarray, path_px: np.ndarray) -> np.ndarray:
    """Averages the image moved along a path.

    Args:
        image: uint8.
        path_px: (n, 2) offsets x, y in pixels over the exposure.
    """
    total = np.zeros(image.shape, np.float32)
    for x, y in path_px:
        shift = np.array([[1, 0, x], [0, 1, y]], np.float32)
        total += cv2.warpAffine(image, shift, image.shape[1::-1], borderMode=cv2.BORDER_REPLICATE)
    return _to_bytes(total / len(path_px))


def defocus(image: np.ndarray, radius_px: float) -> np.ndarray:
    """Blurs as a lens out of focus does, with a disc."""
    size = 2 * int(np.ceil(radius_px)) + 1
    y, x = np.mgrid[:size, :size] - size // 2
    disc = np.clip(radius_px + 0.5 - np.hypot(x, y), 0, 1)
    return cv2.filter2D(image, -1, disc / disc.sum(), borderType=cv2.BORDER_REPLICATE)


def expose(image: np.ndarray, stops: float) -> np.ndarray:
    """Changes the light by stops, > 0 for more; gamma 2."""
    return _to_bytes(image * np.sqrt(2.0**stops))


def compress(image: np.ndarray, quality: int) -> np.ndarray:
    """Compresses as JPEG and decodes again."""
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE if image.ndim == 2 else cv2.IMREAD_COLOR)


def low_resolution(image: np.ndarray, factor: float) -> np.ndarray:
    """Reduces the image to a sensor with fewer pixels and enlarges it again."""
    height, width = image.shape[:2]
    small = cv2.resize(image, (max(1, round(width / factor)), max(1, round(height / factor))), interpolation=cv2.INTER_AREA)
    return cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)


def rolling_shutter(image: np.ndarray, shift_px: np.ndarray) -> np.ndarray:
    """Reads rows one after another while things move by (2,) x, y pixels from first to last row."""
    height, width = image.shape[:2]
    y, x = np.mgrid[:height, :width].astype(np.float32)
    late = y / max(height - 1, 1) - 0.5
    return cv2.remap(
        image, x - late * np.float32(shift_px[0]), y - late * np.float32(shift_px[1]), cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )


def black_masks(image: np.ndarray, width: int, height: int, rng: np.random.Generator) -> np.ndarray:
    """Draws one black rectangle at a random place on the image, as in the paper's section 4.4."""
    out = image.copy()
    y, x = rng.integers(0, image.shape[0] - height + 1), rng.integers(0, image.shape[1] - width + 1)
    out[y : y + height, x : x + width] = 0
    return out


def everyday_camera(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Applies a random camera: some motion, focus, noise, compression."""
    if rng.random() < 0.3:
        reach = rng.uniform(0.5, 4)
        angle = rng.uniform(0, 2 * np.pi)
        path = np.linspace(-0.5, 0.5, 7)[:, None] * reach * [np.cos(angle), np.sin(angle)]
        image = motion_blur(image, path)
    if rng.random() < 0.3:
        image = defocus(image, rng.uniform(0.4, 1.6))
    image = shot_noise(image, 10 ** rng.uniform(2.9, 4.3), rng.uniform(2, 12), rng)
    return compress(image, int(rng.integers(45, 96))) if rng.random() < 0.6 else image


def _to_bytes(values: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(values), 0, 255).astype(np.uint8)
