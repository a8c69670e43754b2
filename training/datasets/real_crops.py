"""Makes training crops of real faces, for the rows of the tables that train on real data; no shipped weights are trained on them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from c2f_head_pose import crop, geometry

from ..data.crops import Crops, Focus, SyntheticCrops
from .base import Face
from .face_crops import box_square, landmark_square

MARGIN = 2.2
"""Side of the stored crop over the landmarks' larger extent, as in the renders."""
_FAR = 1e8


@dataclass(frozen=True)
class Named:
    """The name of a data set in the place where checkpoints read a rendered set's `path.name`."""

    path: Path


class RealCrops:
    """Faces of a data set in memory, with the interface of `SyntheticCrops`.

    An unlabelled angle counts as 0 (Pointing'04 has no roll). Without a camera the ray of the crop is the optical axis.

    Args:
        faces: faces with boxes or landmarks.
        size: side of the stored crops, pixels.
        pose_limits_deg: yaw, pitch, roll of R_crop_head beyond which faces are excluded; None keeps all.
        name: the data's name, for the checkpoint.

    Attributes:
        left_out: number of faces beyond the limits.

    Raises:
        ValueError: if no face remains.
    """

    composited = True
    depth = False

    def __init__(
        self, faces: list[Face], size: int = 192, pose_limits_deg: tuple[float, float, float] | None = None, name: str = 'real faces'
    ):
        if not faces:
            raise ValueError(f'no faces to train on: {name} has none')
        squares = [stored_square(face) for face in faces]
        K = np.array([stored_camera(face, square, size) for face, square in zip(faces, squares)])
        R = geometry.rotation_from_ypr_deg(np.nan_to_num([face.ypr_deg for face in faces]))
        centre = [size / 2 - 0.5, size / 2 - 0.5, 1]
        R_crop = np.array([geometry.ray_rotation(np.linalg.solve(k, centre)).T @ r for k, r in zip(K, R)])
        keep = np.arange(len(faces))
        if pose_limits_deg is not None:
            keep = keep[(np.abs(geometry.ypr_deg_from_rotation(R_crop)) <= np.array(pose_limits_deg) + 1e-6).all(1)]
        if not len(keep):
            raise ValueError(f'no faces to train on: {len(faces)} given, none within {pose_limits_deg} degrees of yaw, pitch and roll')
        self.size, self.left_out = size, len(faces) - len(keep)
        self.sets = [Named(Path(f'{len(keep)} of {name}' + (f' ({self.left_out} beyond the pose limits)' if self.left_out else '')))]
        self.K, self.R_cam_head, self.R_crop_head = (torch.from_numpy(a[keep]).float() for a in (K, R, R_crop))
        self.images = torch.from_numpy(np.stack([crop.cut_gray(faces[i].read(), squares[i], size) for i in keep]))
        low, high = size / 2 - size / MARGIN / 2, size / 2 + size / MARGIN / 2
        self.boxes = torch.tensor([[low, low, high, high]]).repeat(len(keep), 1)
        self.names = [faces[i].name for i in keep]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def data_hash(self) -> str:
        """16 hex digits of a hash over names, labels and pixels."""
        digest = hashlib.sha256('\n'.join(self.names).encode())
        digest.update(self.R_crop_head.numpy().tobytes())
        digest.update(self.images.numpy().tobytes())
        return digest.hexdigest()[:16]

    @property
    def hashes(self) -> tuple[str, ...]:
        """`data_hash`, as `SyntheticCrops.hashes`."""
        return (self.data_hash,)

    def draw_weights(self, focus: Focus | None) -> np.ndarray | None:
        """Computes the (N,) relative frequency of each sample in training; None if all have the same."""
        return None if focus is None else focus.weights(self.R_crop_head)

    def gather(self, rows: np.ndarray) -> Crops:
        """Returns the samples with these row numbers."""
        index = torch.from_numpy(rows)
        # in place of landmarks: a circle in the box, whose bounds are the same however the picture is turned, and the eyes of an upright
        # frontal face, which the sunglasses' augmentation needs
        middle, radius = self.size / 2, self.size / MARGIN / 2
        angles = torch.arange(56) * (2 * torch.pi / 56)
        circle = middle + radius * torch.stack([angles.cos(), angles.sin()], 1)
        eyes = torch.tensor([[middle - radius / 2, middle - radius / 2], [middle + radius / 2, middle - radius / 2]])
        points = torch.cat([circle[:36], eyes.repeat_interleave(6, 0), circle[36:]])
        image = self.images[index]
        alpha, points = torch.full_like(image, 255), points.expand(len(rows), 68, 2)
        return Crops(image, alpha, None, self.R_cam_head[index], self.K[index], self.boxes[index], points)


def stored_square(face: Face) -> crop.CropSquare:
    """Returns the square of the picture to store: `MARGIN` times the landmarks' extent, or the box's if there are none."""
    if face.landmarks is not None:
        return landmark_square(face, MARGIN)
    return box_square(face, MARGIN)


def stored_camera(face: Face, square: crop.CropSquare, size: int) -> np.ndarray:
    """Returns (3, 3) intrinsics of the stored crop's pixels; for an unknown camera, those of a distant one with parallel rays."""
    middle, scale = size / 2 - 0.5, size / square.side
    if face.K is None:
        return np.array([[_FAR, 0, middle], [0, _FAR, middle], [0, 0, 1]])
    to_crop = np.array([[scale, 0, (0.5 - square.left) * scale - 0.5], [0, scale, (0.5 - square.top) * scale - 0.5], [0, 0, 1]])
    return to_crop @ face.K


class JoinedCrops:
    """Two sets of crops as one, each of which is half of the samples drawn, whatever their sizes and poses."""

    depth = False

    def __init__(self, first: SyntheticCrops, second: RealCrops):
        if first.size != second.size:
            raise ValueError(f'crops of {first.size} and of {second.size} pixels do not join: give RealCrops size={first.size}')
        self.first, self.second, self.size = first, second, first.size
        self.sets = [*first.sets, *second.sets]
        self.R_crop_head = torch.cat([first.R_crop_head, second.R_crop_head])

    def __len__(self) -> int:
        return len(self.first) + len(self.second)

    def draw_weights(self, focus: Focus | None) -> np.ndarray:
        """Computes the (N,) relative frequency of each sample in training; `focus` weighs by pose within each set."""
        halves = [part.draw_weights(focus) for part in (self.first, self.second)]
        halves = [np.ones(len(part)) if half is None else half for part, half in zip((self.first, self.second), halves)]
        return np.concatenate([half / half.sum() for half in halves])

    @property
    def data_hash(self) -> str:
        """Hash over both sets."""
        return self.hashes[0]

    @property
    def hashes(self) -> tuple[str, ...]:
        """`data_hash`, and what older checkpoints have for it, as `SyntheticCrops.hashes`."""
        own = self.second.data_hash
        return tuple(hashlib.sha256((one + own).encode()).hexdigest()[:16] for one in self.first.hashes)

    def gather(self, rows: np.ndarray) -> Crops:
        """Returns the samples with these row numbers, in their order."""
        synthetic = rows < len(self.first)
        parts, places = [], []
        if synthetic.any():
            parts.append(self.first.gather(rows[synthetic]))
            places.append(np.flatnonzero(synthetic))
        if not synthetic.all():
            parts.append(self.second.gather(rows[~synthetic] - len(self.first)))
            places.append(np.flatnonzero(~synthetic))
        joined = Crops(*(None if v is None else torch.cat([getattr(p, name) for p in parts]) for name, v in vars(parts[0]).items()))
        return joined[torch.from_numpy(np.argsort(np.concatenate(places)))]
