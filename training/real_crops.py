"""Real faces as training crops, for the tables' rows that train on real data. Never for a shipped weight."""

from __future__ import annotations

import hashlib

import numpy as np
import torch

from c2f_head_pose import crop, geometry

from .batches import Crops, SyntheticCrops
from .datasets import Face
from .protocols import BOX_OVER_LANDMARKS, gray

MARGIN = 2.2
"""Side of the stored crop over the landmarks' larger extent, as the renders have it."""
_FAR = 1e6


class RealCrops:
    """Faces of a data set with the interface of `SyntheticCrops`; all in memory.

    An angle that the set does not label counts as 0 (Pointing'04 has no roll). Without a camera the crop's ray is the optical axis.

    Args:
        faces: with boxes or landmarks.
        size: of the stored crops, pixels.
    """

    composited = True
    depth = False

    def __init__(self, faces: list[Face], size: int = 192):
        if not faces:
            raise ValueError('no faces to train on')
        self.size, self.sets = size, []
        images, boxes = [], []
        for face in faces:
            if face.landmarks is not None:
                low, high = face.landmarks.min(0), face.landmarks.max(0)
                extent, centre = float((high - low).max()), (low + high) / 2
            else:
                extent, centre = max(face.box.width, face.box.height) / BOX_OVER_LANDMARKS, np.array(face.box.centre)
            side = round(MARGIN * extent)
            square = crop.CropSquare(round(centre[0] - side / 2), round(centre[1] - side / 2), side)
            images.append(gray(crop.cut(face.read(), square, size)))
            boxes.append([size / 2 - size / MARGIN / 2] * 2 + [size / 2 + size / MARGIN / 2] * 2)
        R = geometry.rotation_from_ypr_deg(np.nan_to_num([face.ypr_deg for face in faces]))
        self.R_crop_head = torch.from_numpy(R).float()
        self.images = torch.from_numpy(np.stack(images))
        self.boxes = torch.tensor(boxes)
        self.names = [face.name for face in faces]

    def __len__(self) -> int:
        return len(self.images)

    @property
    def data_hash(self) -> str:
        """16 hex digits over names, labels and pixels."""
        digest = hashlib.sha256('\n'.join(self.names).encode())
        digest.update(self.R_crop_head.numpy().tobytes())
        digest.update(self.images.numpy().tobytes())
        return digest.hexdigest()[:16]

    def gather(self, rows: np.ndarray) -> Crops:
        """The samples of some row numbers."""
        index, n = torch.from_numpy(rows), len(rows)
        K = torch.tensor([[_FAR, 0, self.size / 2 - 0.5], [0, _FAR, self.size / 2 - 0.5], [0, 0, 1]]).expand(n, 3, 3)
        # landmarks of an upright frontal face: the box's corners, and the eyes for painted sunglasses
        low, high, middle = self.size / 2 - self.size / MARGIN / 2, self.size / 2 + self.size / MARGIN / 2, self.size / 2
        points = torch.tensor([[low, low], [high, high]]).repeat(34, 1)
        points[36:42] = torch.tensor([(low + middle) / 2, (low + middle) / 2])
        points[42:48] = torch.tensor([(high + middle) / 2, (low + middle) / 2])
        image = self.images[index]
        return Crops(image, torch.full_like(image, 255), None, self.R_crop_head[index], K, self.boxes[index], points.expand(n, 68, 2))


class JoinedCrops:
    """Two sets of crops as one; the second is repeated until it is as long as the first, so that both count."""

    depth = False

    def __init__(self, first: SyntheticCrops, second: RealCrops):
        if first.size != second.size:
            raise ValueError(f'crops of {first.size} and of {second.size} pixels do not join: give RealCrops size={first.size}')
        self.first, self.second, self.size = first, second, first.size
        self.sets = first.sets
        repeats = -(-len(first) // len(second))
        self.rows = np.tile(np.arange(len(second)), repeats)[: len(first)]
        self.R_crop_head = torch.cat([first.R_crop_head, second.R_crop_head[self.rows]])

    def __len__(self) -> int:
        return len(self.first) + len(self.rows)

    @property
    def data_hash(self) -> str:
        """Of both."""
        return hashlib.sha256((self.first.data_hash + self.second.data_hash).encode()).hexdigest()[:16]

    def gather(self, rows: np.ndarray) -> Crops:
        """The samples of some row numbers, in their order."""
        synthetic = rows < len(self.first)
        parts, places = [], []
        if synthetic.any():
            parts.append(self.first.gather(rows[synthetic]))
            places.append(np.flatnonzero(synthetic))
        if not synthetic.all():
            parts.append(self.second.gather(self.rows[rows[~synthetic] - len(self.first)]))
            places.append(np.flatnonzero(~synthetic))
        joined = Crops(*(None if v is None else torch.cat([getattr(p, name) for p in parts]) for name, v in vars(parts[0]).items()))
        return joined[torch.from_numpy(np.argsort(np.concatenate(places)))]
