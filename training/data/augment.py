"""Augments rendered crops as tensors on their device, first geometrically, then photometrically.

All random numbers come from the generator that is passed in, so a step can be repeated exactly.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import inf

import torch
from torch import Tensor
from torch.nn import functional

from ..models.alignment import cut, pixel_centres, square_about
from ..models.area import area_weights
from ..models.rotations import about_optical_axis, tilt
from ..models.settings import check_ranges
from .crops import Crops
from .photometric import PhotometricAugmentation, disturb, random_background

DETECTOR_OFFSET = (0.0, -0.14)
"""Centre of YuNet's box relative to that of the landmarks' box, in units of their larger extent: YuNet's includes the forehead.

Median of 283 rendered upright faces (yaw to 60, pitch to 35 degrees; sd 0.07 across, 0.04 up); no real face was used. Of heads rolled by
15, 30 and 45 degrees it is 0.12, 0.08 and 0.06 up in the picture, which the cube of the tilt's cosine follows.
"""

ALIGNMENT_SD = (0.03, 0.07, 4.0)
"""By how much a network's alignment of a crop errs: standard deviations of the centre in units of the landmarks' extent, of the extent's
logarithm, and of the turn in degrees.

The medians of `c2f`'s first network on crops of held-out people as training draws them are those of deviations of 0.02, 0.04 and 1.2
degrees on portraits and of 0.04, 0.09 and 4 degrees on renders.
"""

MIRRORED = [
    *range(16, -1, -1),  # jaw
    *range(26, 16, -1),  # brows
    *range(27, 31),  # bridge of the nose
    *range(35, 30, -1),  # its base
    *(45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40),  # eyes
    *range(54, 47, -1),
    *range(59, 54, -1),  # outer lips
    *range(64, 59, -1),
    *range(67, 64, -1),  # inner lips
]
"""For each of the 68 landmarks, the one on the other side of the face (300-W's numbering)."""


RANGES = {
    **dict.fromkeys(('margin', 'aligned_margin'), (0.1, inf)),
    'zoom': (1, inf),
    **dict.fromkeys(('shift_sd', 'squeeze_sd', 'roll_sd_deg', 'roll_wide_deg'), (0, inf)),
    **dict.fromkeys(('stretch_share', 'detector_share', 'roll_wide_share', 'border_share'), (0, 1)),
}


@dataclass(frozen=True)
class Augmentation:
    """Strengths of the augmentation. Lengths are in units of the landmarks' larger extent unless stated otherwise.

    The box jitter is the measured difference of YuNet's box to the landmarks': centre sd 0.04-0.07, width sd 6-10 %, height sd 10-16 %.

    Attributes:
        margin: side of the crop, the middle of its range.
        zoom: the margin varies log-uniformly between margin / zoom and margin * zoom.
        shift_sd: standard deviation of the crop's centre.
        squeeze_sd: standard deviation of log(width / height) of the region that is resized to the square.
        stretch_share: share of samples, 0..1, in which the box itself and not the square about it is resized to the square, as many tools
            and FSA-Net's published AFLW2000 crops do; profiles have narrow boxes and so become twice as wide.
        detector_share: share of samples, 0..1, whose crop is centred as YuNet's box is, at `DETECTOR_OFFSET` for the head's tilt.
        roll_of: 'upright' rotates the picture so that the head's tilt in it (`rotations.tilt`) becomes the random roll, whatever it was
            in the render; 'picture' rotates the picture by the random roll.
        roll_sd_deg: standard deviation of the random roll, normally distributed.
        roll_wide_deg: limit of a uniform random roll, which `roll_wide_share` of the samples get instead.
        roll_wide_share: 0..1.
        mirror: whether half of the samples are mirrored.
        border_share: share of samples, 0..1, that an image border cuts off (black beyond it).
        aligned_margin: None, or: for a network behind another one that aligns its crops (`models.ensemble`), the crop drawn so far is
            aligned as by that network, with errors of `ALIGNMENT_SD`: what the network reads is the square about the landmarks in the
            upright picture, this many times their extent, black outside the crop.
        photometric: strengths of the photometric augmentation; None disables it, the random background stays.
    """

    margin: float = 1.5
    zoom: float = 1.3
    shift_sd: float = 0.06
    squeeze_sd: float = 0.10
    stretch_share: float = 0.1
    detector_share: float = 0.5
    roll_of: str = 'upright'
    roll_sd_deg: float = 18.0
    roll_wide_deg: float = 90.0
    roll_wide_share: float = 0.15
    mirror: bool = True
    border_share: float = 0.15
    aligned_margin: float | None = None
    photometric: PhotometricAugmentation | None = field(default_factory=PhotometricAugmentation)

    def __post_init__(self):
        check_ranges(self, RANGES, 'augment.')
        if self.roll_of not in ('upright', 'picture'):
            raise ValueError(f"roll_of {self.roll_of!r} is neither 'upright' nor 'picture'")

    @property
    def centred_margin(self) -> float:
        """Margin of the crops that evaluation cuts."""
        return self.margin if self.aligned_margin is None else self.aligned_margin


@dataclass(frozen=True, eq=False)
class Batch:
    """A batch of training samples.

    Attributes:
        crops: (B, 1, S, S) uint8.
        rotation: (B, 3, 3) R_crop_head.
        landmarks: (B, 68, 2) in the crop's coordinates, [-1, 1] from edge to edge; nan for a sample without them, None if none has any.
    """

    crops: Tensor
    rotation: Tensor
    landmarks: Tensor | None = None


@dataclass(frozen=True, eq=False)
class View:
    """The region of the source crop that becomes the training crop, for each sample.

    Attributes:
        centre: (B, 2) source pixels, continuous.
        half: (B, 2) half width and half height of the region, source pixels.
        roll: (B,) rad, clockwise rotation of the picture.
        mirror: (B,) +1, or -1 for mirrored.
    """

    centre: Tensor
    half: Tensor
    roll: Tensor
    mirror: Tensor

    def matrix(self) -> Tensor:
        """Returns the (B, 2, 2) map from the training crop's coordinates in [-1, 1] to source pixels relative to the centre."""
        c, s = self.roll.cos(), self.roll.sin()
        # the inverse of the squeeze (half), then of the clockwise roll, then of the mirroring
        x = torch.stack([c * self.half[:, 0], s * self.half[:, 1]], -1) * self.mirror[:, None]
        y = torch.stack([-s * self.half[:, 0], c * self.half[:, 1]], -1)
        return torch.stack([x, y], 1)


def centred_view(crops: Crops, margin: float) -> View:
    """Returns the square about the landmarks' box that evaluation cuts."""
    n, device = len(crops), crops.box.device
    centre = (crops.box[:, :2] + crops.box[:, 2:]) / 2
    half = (crops.box[:, 2:] - crops.box[:, :2]).amax(1, keepdim=True).expand(n, 2) * margin / 2
    return View(centre, half, torch.zeros(n, device=device), torch.ones(n, device=device))


def random_view(crops: Crops, how: Augmentation, generator: torch.Generator) -> View:
    """Draws a random view of each sample about its landmarks' box in the rotated picture: shifted, zoomed, squeezed, rolled, mirrored."""
    n, device = len(crops), crops.box.device
    u = torch.rand(n, 7, generator=generator, device=device)
    g = torch.randn(n, 4, generator=generator, device=device)
    view = centred_view(crops, how.margin)
    if how.mirror:
        view = replace(view, mirror=torch.where(u[:, 3] < 0.5, -1.0, 1.0))
    roll = torch.deg2rad(torch.where(u[:, 1] < how.roll_wide_share, how.roll_wide_deg * (2 * u[:, 2] - 1), how.roll_sd_deg * g[:, 3]))
    if how.roll_of == 'upright':
        turn = tilt(rotation_in_view(crops, view))
        roll = roll - torch.atan2(turn[:, 1, 0], turn[:, 0, 0])
    turned = replace(view, roll=roll, half=torch.ones_like(view.half))
    matrix = turned.matrix()
    seen = torch.linalg.solve(matrix, (crops.landmarks - view.centre[:, None]).transpose(1, 2))
    low, high = seen.amin(2), seen.amax(2)
    sides = high - low
    extent = sides.amax(1, keepdim=True)
    narrower = torch.stack([0.75 + 0.25 * u[:, 4], torch.ones_like(u[:, 4])], 1)
    region = torch.where(u[:, 5:6] < how.stretch_share, sides * narrower, extent.expand(n, 2))
    squeeze = (g[:, 0].clamp(-2.5, 2.5) * how.squeeze_sd / 2).exp()
    scale = how.margin * how.zoom ** (2 * u[:, 0] - 1)
    middle = (low + high) / 2 + g[:, 1:3].clamp(-2.5, 2.5) * how.shift_sd * region
    upright = tilt(rotation_in_view(crops, turned))[:, :1, 0].clamp(min=0) ** 3
    offset = torch.tensor(DETECTOR_OFFSET, device=device) * extent * upright
    middle = middle + torch.where(u[:, 6:] < how.detector_share, offset, 0.0)
    centre = view.centre + (matrix @ middle[..., None])[..., 0]
    return replace(turned, centre=centre, half=region / 2 * scale[:, None] * torch.stack([squeeze, 1 / squeeze], 1))


def rotation_in_view(crops: Crops, view: View) -> Tensor:
    """Computes (B, 3, 3) R_crop_head of the view: relative to the ray through its own centre, rolled and mirrored with the picture.

    A picture rotated clockwise by a shows the head rolled by a; a mirrored one shows diag(-1, 1, 1) R diag(1, -1, 1).
    """
    pixel = torch.cat([view.centre - 0.5, torch.ones_like(view.centre[:, :1])], 1)  # K counts from the first pixel's centre
    ray = torch.linalg.solve(crops.K, pixel[..., None])[..., 0]
    R = ray_rotations(ray).transpose(1, 2) @ crops.R_cam_head
    left = torch.stack([view.mirror, torch.ones_like(view.mirror), torch.ones_like(view.mirror)], 1)
    right = torch.stack([torch.ones_like(view.mirror), view.mirror, torch.ones_like(view.mirror)], 1)
    R = left[:, :, None] * R * right[:, None, :]
    return about_optical_axis(torch.stack([view.roll.cos(), view.roll.sin()], 1)) @ R


def ray_rotations(rays: Tensor) -> Tensor:
    """Computes the (B, 3, 3) smallest rotations taking +z to (B, 3) rays, as `c2f_head_pose.geometry.ray_rotation` for a batch."""
    x, y, z = functional.normalize(rays, dim=1).unbind(1)
    k = 1 / (1 + z)
    return torch.stack(
        [torch.stack([1 - k * x * x, -k * x * y, x], 1), torch.stack([-k * x * y, 1 - k * y * y, y], 1), torch.stack([-x, -y, z], 1)], 1
    )


def sample(channels: Tensor, view: View, size: int, nearest: bool = False) -> Tensor:
    """Resamples (B, C, S, S) float channels through a view to (B, C, size, size); pixels outside are zero."""
    n, _, height, width = channels.shape
    scale = torch.tensor([2 / width, 2 / height], device=channels.device)
    theta = torch.cat([view.matrix() * scale[:, None], ((view.centre * scale) - 1)[:, :, None]], 2)
    grid = functional.affine_grid(theta, [n, 1, size, size], align_corners=False)
    return functional.grid_sample(channels, grid, mode='nearest' if nearest else 'bilinear', padding_mode='zeros', align_corners=False)


def landmarks_in_view(crops: Crops, view: View) -> Tensor:
    """Maps (B, 68, 2) landmarks to the view's coordinates, [-1, 1], and renumbers them in a mirrored view, so that left stays left."""
    offset = crops.landmarks - view.centre[:, None]
    seen = torch.linalg.solve(view.matrix(), offset.transpose(1, 2)).transpose(1, 2)
    return torch.where(view.mirror[:, None, None] < 0, seen[:, MIRRORED], seen)


def eyes_of(landmarks: Tensor) -> Tensor:
    """Returns the (B, 2, 2) centres of both eyes of (B, 68, 2) landmarks."""
    return torch.stack([landmarks[:, 36:42].mean(1), landmarks[:, 42:48].mean(1)], 1)


def augment(crops: Crops, size: int, how: Augmentation, generator: torch.Generator) -> Batch:
    """Makes training crops: random views over random backgrounds, with photometric augmentation.

    Args:
        crops: a rendered batch.
        size: output side in pixels.
        how: strengths.
        generator: the only source of random numbers, on the device of the crops.
    """
    view = random_view(crops, how, generator)
    image = over_background(crops, view, size, generator)
    landmarks = landmarks_in_view(crops, view)
    face = 2 / (view.half.mean(1) * 2 / (crops.box[:, 2:] - crops.box[:, :2]).amax(1))  # the landmarks' extent in units of [-1, 1]
    if how.photometric is not None:
        image = disturb(image, eyes_of(landmarks), face, how.photometric, generator)
    image = cut_at_borders(image, how.border_share, generator)
    batch = Batch((image + 0.5).clamp(0, 255).to(torch.uint8), rotation_in_view(crops, view), landmarks)
    return batch if how.aligned_margin is None else aligned(batch, how.aligned_margin, generator)


def aligned(batch: Batch, margin: float, generator: torch.Generator) -> Batch:
    """The crops as a network shows them to another one that reads aligned crops: `Augmentation.aligned_margin`."""
    shift_sd, log_extent_sd, turn_sd_deg = ALIGNMENT_SD
    noise = torch.randn(len(batch.crops), 4, generator=generator, device=batch.crops.device)
    angle = torch.deg2rad(turn_sd_deg * noise[:, 0])
    turn = tilt(batch.rotation) @ about_optical_axis(torch.stack([angle.cos(), angle.sin()], 1))
    middle, extent = square_about(batch.landmarks, turn)
    middle = middle + shift_sd * noise[:, None, 1:3] * extent
    side = margin * extent * (log_extent_sd * noise[:, 3:, None]).exp()
    size = batch.crops.shape[3]
    pixels = cut(batch.crops.float(), pixel_centres(size).to(noise.device), turn, middle, side, size).to(torch.uint8)
    landmarks = (batch.landmarks @ turn[:, :2, :2] - middle) / (side / 2)
    return Batch(pixels, turn.transpose(1, 2) @ batch.rotation, landmarks)


def over_background(crops: Crops, view: View, size: int, generator: torch.Generator) -> Tensor:
    """Returns (B, 1, size, size) float gray views, each over its own random background."""
    layers = sample(torch.stack([crops.image, crops.alpha], 1).float(), view, size)
    # alpha is 0 beyond the source crop too, so the background is visible there
    return layers[:, :1] + (1 - layers[:, 1:] / 255) * random_background(len(crops), size, generator, layers.device)


def cut_at_borders(image: Tensor, share: float, generator: torch.Generator) -> Tensor:
    """Blackens one side of some samples, as in crops of faces at the edge of the camera's image."""
    n, size, device = len(image), image.shape[-1], image.device
    u = torch.rand(n, 3, generator=generator, device=device)
    depth = torch.where(u[:, 0] < share, u[:, 1] * 0.3, -1.0)[:, None, None] * size
    side = (u[:, 2] * 4).long()
    steps = torch.arange(size, device=device, dtype=torch.float32)
    along = torch.where((side % 2 == 0)[:, None], steps, size - 1 - steps)
    black = torch.where((side < 2)[:, None, None], along[:, None, :], along[:, :, None]) < depth
    return image.masked_fill(black[:, None], 0)


def shrink(crops: Tensor, size: int) -> Tensor:
    """Reduces (B, 1, S, S) uint8 crops to (B, 1, size, size) by the mean over each new pixel's area, as `c2f_head_pose.crop` does.

    Raises:
        ValueError: for a size above S.
    """
    side = crops.shape[-1]
    if size == side:
        return crops
    weights = area_weights(side, size, crops.device)
    return (weights @ crops.float() @ weights.T + 0.5).clamp(0, 255).to(torch.uint8)


def plain(crops: Crops, size: int, margin: float, background: float = 0.0) -> Batch:
    """Makes undisturbed, centred crops over a flat background, for evaluation: the same square as `c2f_head_pose.crop` cuts."""
    view = centred_view(crops, margin)
    layers = sample(torch.stack([crops.image, crops.alpha], 1).float(), view, size)
    image = layers[:, :1] + (1 - layers[:, 1:] / 255) * background
    return Batch((image + 0.5).clamp(0, 255).to(torch.uint8), rotation_in_view(crops, view), landmarks_in_view(crops, view))
