"""Augments tensors photometrically: light, occluders, lens, sensor, compression.

Pictures are (B, 1, S, S) float, 0..255. Expensive steps process only the samples that get them.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ..models.settings import check_ranges
from .jpeg import jpeg

RANGES = {
    'light': (0, 1),
    'low_resolution_px': (1, math.inf),
    **dict.fromkeys(('gamma', 'contrast'), (1, math.inf)),
    **dict.fromkeys(('brightness', 'blur_sd', 'noise_sd'), (0, math.inf)),
    **{f'{name}_share': (0, 1) for name in ('light', 'stripes', 'occluder', 'sunglasses', 'blur', 'low_resolution', 'jpeg')},
}


@dataclass(frozen=True)
class PhotometricAugmentation:
    """Strengths of the disturbances; a share is the fraction of the samples that get a disturbance, 0..1.

    Attributes:
        light_share: share with one-sided light or the edge of a soft shadow.
        light: largest gain or loss across the picture.
        stripes_share: share with patterned light (blinds, leaves).
        occluder_share: share with a textured blob over part of the picture.
        sunglasses_share: share with dark blobs over both eyes.
        gamma: exponent, log-uniform between 1 / gamma and gamma.
        contrast: gain, log-uniform between 1 / contrast and contrast.
        brightness: largest offset up or down, grey levels.
        blur_share: share with defocus or motion blur.
        blur_sd: largest standard deviation of the blur, as a fraction of the side.
        low_resolution_share: share that is sampled down and up again.
        low_resolution_px: smallest side to sample down to, pixels.
        noise_sd: largest standard deviation of the noise, grey levels.
        jpeg_share: share that is compressed as JPEG.
    """

    light_share: float = 0.5
    light: float = 0.5
    stripes_share: float = 0.08
    occluder_share: float = 0.2
    sunglasses_share: float = 0.06
    gamma: float = 1.6
    contrast: float = 1.5
    brightness: float = 28.0
    blur_share: float = 0.3
    blur_sd: float = 0.02
    low_resolution_share: float = 0.15
    low_resolution_px: int = 28
    noise_sd: float = 9.0
    jpeg_share: float = 0.3

    def __post_init__(self):
        check_ranges(self, RANGES, 'augment.photometric.')


_BLUR_TAPS = 11


def disturb(image: Tensor, eyes: Tensor, face: Tensor, how: PhotometricAugmentation, generator: torch.Generator) -> Tensor:
    """Applies light, occluders, photometry, blur, low resolution, noise and compression, in the order in which a camera adds them.

    Args:
        image: (B, 1, S, S) float, 0..255.
        eyes: (B, 2, 2) centres of the eyes, [-1, 1].
        face: (B,) the landmarks' larger extent in the same units.
        how: strengths.
        generator: random generator on the image's device.
    """
    image = light(image, how, generator)
    image = occlude(image, eyes, face, how, generator)
    image = photometry(image, how, generator)
    image = some(image, how.blur_share, generator, lambda x: blur(x, how.blur_sd, generator))
    image = some(image, how.low_resolution_share, generator, lambda x: low_resolution(x, how.low_resolution_px, generator))
    image = noise(image, how.noise_sd, generator)
    return some(image, how.jpeg_share, generator, lambda x: jpeg(x, generator))


def some(image: Tensor, share: float, generator: torch.Generator, change) -> Tensor:
    """Applies a change to a fixed number of random samples of the batch, so that the cost does not vary."""
    count = round(share * len(image))
    if not count:
        return image
    rows = torch.randperm(len(image), generator=generator, device=image.device)[:count]
    return image.index_copy(0, rows, change(image[rows]))


def random_background(count: int, size: int, generator: torch.Generator, device: torch.device) -> Tensor:
    """Draws (B, 1, S, S) procedural backgrounds: noise of several scales and straight edges, with random level and contrast."""
    half = max(size // 2, 8)
    out = torch.zeros(count, 1, half, half, device=device)
    weight = torch.rand(count, 6, 1, 1, 1, generator=generator, device=device).pow(2)
    for i, cells in enumerate((2, 4, 8, 16, 32)):
        grid = torch.rand(count, 1, min(cells, half), min(cells, half), generator=generator, device=device) - 0.5
        out += weight[:, i] * functional.interpolate(grid, (half, half), mode='bilinear' if i % 2 else 'nearest')
    x, y = coordinates(half, device)
    u = torch.rand(count, 2, 4, 1, 1, generator=generator, device=device)
    for k in range(2):  # walls, door frames
        angle = u[:, k, 0] * 2 * math.pi
        out += ((x * angle.cos() + y * angle.sin() > 2 * u[:, k, 1] - 1).float() * (u[:, k, 2] - 0.5) * 1.5)[:, None]
    out = out - out.mean((2, 3), keepdim=True)
    v = torch.rand(count, 2, 1, 1, 1, generator=generator, device=device)
    out = v[:, 0] * 255 + out * v[:, 1] * 260
    return functional.interpolate(out, (size, size), mode='bilinear', align_corners=False).clamp(0, 255)


def coordinates(size: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Returns the x (1, 1, S) and y (1, S, 1) of pixel centres, [-1, 1]."""
    steps = (torch.arange(size, device=device, dtype=torch.float32) + 0.5) * (2 / size) - 1
    return steps[None, None, :], steps[None, :, None]


def light(image: Tensor, how: PhotometricAugmentation, generator: torch.Generator) -> Tensor:
    """Applies a gain that varies across the picture: a slope or a shadow with a soft edge, and stripes on some samples."""
    n, device = len(image), image.device
    u = torch.rand(n, 8, 1, 1, generator=generator, device=device)
    x, y = coordinates(image.shape[-1], device)
    angle = u[:, 0] * 2 * math.pi
    along = x * angle.cos() + y * angle.sin() + (u[:, 1] - 0.5)
    sharp = torch.where(u[:, 2] < 0.6, 1.0, 12 * u[:, 3] + 1)
    strength = torch.where(u[:, 4] < how.light_share, u[:, 5] * how.light, 0.0)
    gain = 1 + strength * (along * sharp).clamp(-1, 1)
    if how.stripes_share:
        waves = torch.sin(along * 9 * (1 + 2 * u[:, 6])).clamp(-0.3, 0.3) * 1.3
        gain = gain * torch.where(u[:, 7] < how.stripes_share, 1 + waves, 1.0)
    return (image * gain[:, None]).clamp(0, 255)


def blob(centre: Tensor, radius: Tensor, angle: Tensor, power: Tensor, size: int) -> Tensor:
    """Draws (B, S, S) soft masks of superellipses.

    Args:
        centre: (B, 2) in [-1, 1].
        radius: (B, 2) half axes in the same units.
        angle: (B,) rad.
        power: (B,) 2 for an ellipse, larger towards a rectangle.
        size: S.
    """
    x, y = coordinates(size, centre.device)
    x, y = x - centre[:, 0, None, None], y - centre[:, 1, None, None]
    c, s = angle.cos()[:, None, None], angle.sin()[:, None, None]
    u, v = (c * x + s * y).abs() / radius[:, 0, None, None], (c * y - s * x).abs() / radius[:, 1, None, None]
    p = power[:, None, None]
    inside = 1 - (u.clamp(1e-4).pow(p) + v.clamp(1e-4).pow(p))
    return (inside * 8).clamp(0, 1)


def occlude(image: Tensor, eyes: Tensor, face: Tensor, how: PhotometricAugmentation, generator: torch.Generator) -> Tensor:
    """Draws textured blobs over some faces and sunglasses over some eyes."""
    n, size, device = len(image), image.shape[-1], image.device

    def cover(x: Tensor) -> Tensor:
        m = len(x)
        u = torch.rand(m, 6, generator=generator, device=device)
        # anywhere, but more often near the border than in the middle
        centre = torch.stack([(u[:, 0] * 2 * math.pi).cos(), (u[:, 0] * 2 * math.pi).sin()], 1) * (0.35 + 0.75 * u[:, 1:2])
        mask = blob(centre, 0.12 + 0.38 * u[:, 2:4], u[:, 4] * math.pi, 2 + 6 * u[:, 5], size)[:, None]
        return x + mask * (random_background(m, size, generator, device) - x)

    image = some(image, how.occluder_share, generator, cover)
    count = round(how.sunglasses_share * n)
    if count:
        rows = torch.randperm(n, generator=generator, device=device)[:count]
        u = torch.rand(count, 4, generator=generator, device=device)
        between = eyes[rows, 1] - eyes[rows, 0]
        angle = torch.atan2(between[:, 1], between[:, 0])
        radius = torch.stack([0.15 + 0.06 * u[:, 0], 0.11 + 0.06 * u[:, 1]], 1) * face[rows, None]
        power = 2 + 4 * u[:, 2]
        mask = torch.maximum(*(blob(eyes[rows, i], radius, angle, power, size) for i in (0, 1)))[:, None]
        dark = image[rows] * 0.15 + (u[:, 3] * 40)[:, None, None, None]
        image = image.index_copy(0, rows, image[rows] + mask * (dark - image[rows]))
    return image


def photometry(image: Tensor, how: PhotometricAugmentation, generator: torch.Generator) -> Tensor:
    """Applies gamma, contrast about the mean and brightness, and clips as a sensor does."""
    u = 2 * torch.rand(len(image), 3, 1, 1, 1, generator=generator, device=image.device) - 1
    image = 255 * (image / 255).clamp(1e-4, 1).pow(how.gamma ** u[:, 0])
    mean = image.mean((2, 3), keepdim=True)
    return ((image - mean) * how.contrast ** u[:, 1] + mean + how.brightness * u[:, 2]).clamp(0, 255)


def blur(image: Tensor, largest_sd: float, generator: torch.Generator) -> Tensor:
    """Blurs each picture with its own Gaussian of random width, length and direction: defocus and motion blur."""
    n, size, device = len(image), image.shape[-1], image.device
    u = torch.rand(n, 3, 1, 1, generator=generator, device=device)
    sd = 0.3 + u[:, 0] * largest_sd * size
    across = sd * (0.25 + 0.75 * u[:, 1])
    angle = u[:, 2] * math.pi
    r = _BLUR_TAPS // 2
    steps = torch.arange(-r, r + 1, device=device, dtype=torch.float32)
    x, y = steps[None, None, :], steps[None, :, None]
    along, side = x * angle.cos() + y * angle.sin(), y * angle.cos() - x * angle.sin()
    kernel = (-0.5 * ((along / sd) ** 2 + (side / across) ** 2)).exp()
    kernel = kernel / kernel.sum((1, 2), keepdim=True)
    padded = functional.pad(image.transpose(0, 1), (r, r, r, r), mode='replicate')
    return functional.conv2d(padded, kernel[:, None], groups=n).transpose(0, 1)


def low_resolution(image: Tensor, fewest_px: int, generator: torch.Generator) -> Tensor:
    """Samples the pictures down and up again; each quarter of the batch gets one of four sizes."""
    size = image.shape[-1]
    shift = float(torch.rand((), generator=generator, device=image.device))
    parts = []
    for i, part in enumerate(image.tensor_split(4)):
        if len(part):
            small = round(fewest_px * (size / fewest_px) ** ((i + shift) / 4))
            part = functional.interpolate(
                functional.interpolate(part, (small, small), mode='area'), (size, size), mode='bilinear', align_corners=False
            )
        parts.append(part)
    return torch.cat(parts)


def noise(image: Tensor, largest_sd: float, generator: torch.Generator) -> Tensor:
    """Adds sensor noise of random strength; part of it grows with the square root of the light (shot noise)."""
    u = torch.rand(len(image), 2, 1, 1, 1, generator=generator, device=image.device)
    sd = largest_sd * u[:, 0].pow(2) * (u[:, 1] + (1 - u[:, 1]) * (image / 128).clamp(min=0).sqrt())
    return image + sd * torch.randn(image.shape, generator=generator, device=image.device)
