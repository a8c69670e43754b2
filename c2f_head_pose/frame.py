"""Checks what a caller gives to the estimator: an image, depth, calibration and boxes. Each message names the argument and the remedy."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from .images import check_metres
from .types import Camera, FaceBox

Boxes = Iterable[Sequence[float] | np.ndarray | FaceBox]
"""Boxes of faces: rows x1 y1 x2 y2 or FaceBoxes, in an array, a list or anything else that can be read once."""

_LARGEST_BOX = 4
"""Such a box, in longer sides of the image, shows a sixteenth of a face at most, and its crop takes memory by the square of its side."""
_SMALLEST_BOX_PX = 4
"""Nobody can be recognised in a smaller box, longer side; boxes in parts of the image's size, 0 to 1, have one pixel at most."""


@dataclass(frozen=True, eq=False)
class Frame:
    """An image, depth or both, with their calibration and stamp.

    Attributes:
        image: (H, W) gray or (H, W, 3) BGR, uint8; None for depth alone.
        camera: calibration of the image; None if unknown.
        depth_m: (H, W) float metres along the optical axis, NaN or 0 unknown, registered to the image; None without depth.
        stamp_s: the stamp in seconds; None for an image that stands alone.

    Raises:
        ValueError: for an image that is not uint8, or not gray or BGR.
    """

    image: np.ndarray | None
    camera: Camera | None
    depth_m: np.ndarray | None
    stamp_s: float | None

    def __post_init__(self) -> None:
        if self.image is not None:
            check_image(self.image)

    @property
    def shape(self) -> tuple[int, ...]:
        """Height and width."""
        array = self.depth_m if self.image is None else self.image
        assert array is not None
        return array.shape[:2]

    def check_shapes(self) -> None:
        """Raises ValueError if the calibration or the depth belongs to an image of another size, or the depth is not in metres."""
        shape = self.shape
        camera, depth_m = self.camera, self.depth_m
        if camera is not None and (camera.height, camera.width) != shape:
            raise ValueError(f'the camera is calibrated for {camera.width}x{camera.height}, the image has {shape[1]}x{shape[0]}')
        if depth_m is not None and not (isinstance(depth_m, np.ndarray) and np.issubdtype(depth_m.dtype, np.floating)):
            got = getattr(depth_m, 'dtype', type(depth_m).__name__)
            raise ValueError(f'depth_m must be an array of float metres, got {got}; divide millimetres by 1000')
        if depth_m is not None and depth_m.shape != shape:
            raise ValueError(f'depth_m has shape {depth_m.shape}, it must be registered to the image, {shape}')
        if depth_m is not None:
            check_metres(depth_m)


def check_image(image: np.ndarray) -> None:
    """Raises ValueError if an image is not (H, W) gray or (H, W, 3) BGR of type uint8, or has no pixels."""
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        got = getattr(image, 'dtype', type(image).__name__)
        raise ValueError(
            f'an image must be a uint8 array, got {got}; for 16 bits use read_picture(path) or, with one object for a stream, '
            'SignificantBits().to_8_bits(image), both of c2f_head_pose.images; multiply floats from 0 to 1 by 255 and convert them to '
            'uint8; of a torch tensor or PIL picture give np.asarray(image), its channels in the order blue, green, red'
        )
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(f'an image must be (H, W) gray or (H, W, 3) BGR, got shape {image.shape}')
    if image.shape[0] < 1 or image.shape[1] < 1:
        raise ValueError(f'an image must have pixels, got shape {image.shape}')


def checked_boxes(boxes: Boxes, shape: tuple[int, ...]) -> list[FaceBox]:
    """Checks a caller's boxes, rows of numbers or FaceBoxes; each must overlap the image of shape (height, width)."""
    boxes = list(boxes)  # an iterator can be read only once
    rows = [(box.x1, box.y1, box.x2, box.y2) if isinstance(box, FaceBox) else box for box in boxes]
    array = np.asarray(rows, float) if rows else np.zeros((0, 4))
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f'boxes must be (N, 4) x1 y1 x2 y2, got shape {array.shape}')
    if not np.isfinite(array).all() or (array[:, 2:] <= array[:, :2]).any():
        raise ValueError('boxes must be finite with x2 > x1 and y2 > y1')
    height, width = shape
    for i, (x1, y1, x2, y2) in enumerate(array.tolist()):
        if x2 <= 0 or y2 <= 0 or x1 >= width or y1 >= height:
            raise ValueError(f'boxes[{i}] {[x1, y1, x2, y2]} lies outside the image of {width}x{height} pixels')
        if max(x2 - x1, y2 - y1) < _SMALLEST_BOX_PX:
            raise ValueError(
                f'boxes[{i}] {[x1, y1, x2, y2]} is smaller than {_SMALLEST_BOX_PX} pixels; give x1 y1 x2 y2 in pixels of this image: '
                'multiply normalised boxes (0 to 1) by its width and height'
            )
        if max(x2 - x1, y2 - y1) > _LARGEST_BOX * max(width, height):
            raise ValueError(
                f'boxes[{i}] {[x1, y1, x2, y2]} is more than {_LARGEST_BOX} times as large as the image of {width}x{height} pixels; '
                'give x1 y1 x2 y2 in pixels of this image'
            )
    return [box if isinstance(box, FaceBox) else FaceBox(*row) for box, row in zip(boxes, array.tolist())]
