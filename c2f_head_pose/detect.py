"""Finds faces with YuNet on ONNX Runtime, whatever the OpenCV version.

Source: Wu, Peng, Yu 2023, "YuNet: A Tiny Millisecond-level Face Detector"; model file: opencv_zoo, MIT.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

from .engine.onnxruntime_engine import open_session
from .models.registry import ModelError, detector_path
from .tiles import Tile, plan_search
from .turn import turn_boxes_back, turn_upright
from .types import FaceBox

_STRIDES = (8, 16, 32)
_OVERLAP = 0.3
_INSIDE = 0.7
_NEAR_REACH, _NEAR_PX = 2.25, 128
"""The patch about a followed face: its side in sizes of the face, and in pixels of the detector's input. A face then has 57 pixels."""
_WIDE_REACH, _WIDE_PX = 6.0, 192
"""Likewise about a face that was lost; it then has 32 pixels."""
CANDIDATE = 2 / 3
"""A search takes faces from this part of the threshold; a second look at each, in which it has 57 pixels, decides: see `confirm`.

On 284 tiles of photographs without people, 15 places score 0.6 in a tile; from 0.4 in the tile, 10 score 0.6 in the second look. Real
faces of 26 to 34 pixels score 0.89 and more in it, enlarged or not.
"""
FINE_THRESHOLD = 0.75
"""What only a search finer than that of the whole image finds must reach this in the second look, or the threshold if that is higher.

A fine search sees many more places that may look like a face, and shows small faces large, so it can ask for more: real faces of 28 to 34
pixels score 0.89 and more in the second look, and the two false faces on 24 photographs of rooms 0.65 and less.
"""
_OUTPUTS = [f'{kind}_{stride}' for kind in ('cls', 'obj', 'bbox') for stride in _STRIDES]


class FaceDetector:
    """Detects faces in an image of any size.

    Each method takes `rotation_deg`, the clockwise turn (0, 90, 180, 270) that makes the image upright; boxes are in pixels of the image
    as it is given.

    Args:
        path: the detector's file; the fetched one by default.
        threads: CPU threads, at least 1.

    Raises:
        ModelError: when the file is missing or damaged, with the remedy.
    """

    def __init__(self, path: Path | None = None, threads: int = 1) -> None:
        path = path or detector_path()
        try:
            self._session = open_session(path, threads)
        except ModelError as error:
            raise ModelError(f'the face detector: {error}') from None
        # The landmarks' branches are not computed: nobody asks for them, and they take a fifth of a small patch's time.
        self._run_options = onnxruntime.RunOptions()
        self._run_options.only_execute_path_to_fetches = True

    def detect(self, image: np.ndarray, threshold: float, long_side: int, rotation_deg: int = 0) -> list[FaceBox]:
        """Faces of an image, best first.

        Args:
            image: (H, W) gray or (H, W, 3) BGR uint8.
            threshold: least score, in (0, 1).
            long_side: the image's longer side is resized to this many pixels first; a face is found from `tiles.FOUND_PX` there.
            rotation_deg: see the class.

        Returns:
            Boxes in pixels of `image`.
        """
        return self._detect_at((0, 0), image, threshold, long_side, rotation_deg)

    def find_candidates(self, image: np.ndarray, tile: Tile, threshold: float, rotation_deg: int = 0) -> list[FaceBox]:
        """What may be a face in a part of an image and is this part's to find, best first, for `confirm`; arguments as of `detect`."""
        long_side = max(tile.width, tile.height)
        patch = image[tile.top : tile.bottom, tile.left : tile.right]
        boxes = self._detect_at((tile.left, tile.top), patch, CANDIDATE * threshold, long_side, rotation_deg)
        x1, y1, x2, y2 = tile.edges
        return [
            box
            for box in boxes
            if max(box.width, box.height) <= tile.largest_px and box.x1 >= x1 and box.y1 >= y1 and box.x2 <= x2 and box.y2 <= y2
        ]

    def confirm(
        self, image: np.ndarray, candidates: list[FaceBox], coarse: list[FaceBox], threshold: float, rotation_deg: int = 0
    ) -> list[FaceBox]:
        """Those of the candidates that are faces, best first.

        What the search of the whole image finds at the threshold is a face. At each other candidate a second look decides, and its box is
        the one that is returned.

        Args:
            image: as of `detect`.
            candidates: boxes found by any search.
            coarse: what the search of the whole image found; candidates that are not among them must reach `FINE_THRESHOLD` too. Where
                it is empty, the second look decides about each candidate.
            threshold: least score in the second look.
            rotation_deg: see the class.
        """

        def decide(box: FaceBox) -> FaceBox | None:
            whole = max((other.score for other in coarse if box.iou(other) >= _OVERLAP), default=None)
            if whole is not None and whole >= threshold:
                return box
            least = threshold if whole is not None else max(threshold, FINE_THRESHOLD)
            near = self.detect_near(image, box, least, rotation_deg)
            return next((other for other in near if same_face(box, other)), None)

        return suppress_overlaps([box for box in map(decide, candidates) if box is not None])

    def detect_all_sizes(self, image: np.ndarray, threshold: float, min_face_px: int = 0, rotation_deg: int = 0) -> list[FaceBox]:
        """Faces of an image that stands alone, best first: searched whole, down to the smallest face wanted.

        Args:
            image: (H, W) gray or (H, W, 3) BGR uint8.
            threshold: least score, in (0, 1).
            min_face_px: longer side of the smallest faces, pixels of the image; 0 chooses by the image's size (`tiles.smallest_face_px`).
            rotation_deg: see the class.
        """
        height, width = image.shape[:2]
        tiles = plan_search(width, height, min_face_px)
        found = [self.find_candidates(image, tile, threshold, rotation_deg) for tile in tiles]
        candidates = suppress_overlaps([box for boxes in found for box in boxes])
        return self.confirm(image, candidates, found[0], threshold, rotation_deg)

    def detect_near(self, image: np.ndarray, box: FaceBox, threshold: float, rotation_deg: int = 0) -> list[FaceBox]:
        """Faces around a place where one was just seen: about a third of a whole image's time."""
        return self._detect_about(image, box, _NEAR_REACH, _NEAR_PX, threshold, rotation_deg)

    def detect_wider(self, image: np.ndarray, box: FaceBox, threshold: float, rotation_deg: int = 0) -> list[FaceBox]:
        """Faces in a wider surrounding of a place where one was seen before, for one that moved or turned: half a whole image's time."""
        return self._detect_about(image, box, _WIDE_REACH, _WIDE_PX, threshold, rotation_deg)

    def _detect_about(self, image: np.ndarray, box: FaceBox, reach: float, size: int, threshold: float, rotation_deg: int) -> list[FaceBox]:
        side = round(reach * max(box.width, box.height))
        x, y = round(box.centre[0] - side / 2), round(box.centre[1] - side / 2)
        left, top = max(0, x), max(0, y)
        patch = image[top : max(0, y + side), left : max(0, x + side)]
        if min(patch.shape[:2]) < 2:
            return []
        long_side = max(1, round(size * max(patch.shape[:2]) / side))
        return self._detect_at((left, top), patch, threshold, long_side, rotation_deg)

    def _detect_at(self, corner: tuple[int, int], patch: np.ndarray, threshold: float, long_side: int, rotation_deg: int) -> list[FaceBox]:
        """As `detect`, of a part of an image that begins at a corner; boxes are in pixels of the image."""
        scale = long_side / max(patch.shape[:2])
        patch, averaged = _whole_steps(patch, long_side)
        height, width = patch.shape[:2]
        size = max(1, round(width * scale)), max(1, round(height * scale))
        upright = turn_upright(cv2.resize(averaged, size, interpolation=cv2.INTER_LINEAR), rotation_deg)
        boxes = turn_boxes_back(self._run(upright, threshold), rotation_deg, *size)
        boxes[:, :4] *= (width / size[0], height / size[1], width / size[0], height / size[1])
        boxes[:, :4] += (*corner, *corner)
        return suppress_overlaps([FaceBox(*box) for box in boxes.tolist()])

    def _run(self, image: np.ndarray, threshold: float) -> np.ndarray:
        """(N, 5) x1 y1 x2 y2 score in pixels of an image that fits the network."""
        height, width = image.shape[:2]
        padded = np.zeros((1, 3, -(-height // 32) * 32, -(-width // 32) * 32), np.float32)
        for plane, channel in zip(padded[0], cv2.split(image) if image.ndim == 3 else 3 * [image]):
            plane[:height, :width] = channel
        return _decode(self._session.run(_OUTPUTS, {'input': padded}, self._run_options), padded.shape[2], padded.shape[3], threshold)


def suppress_overlaps(boxes: list[FaceBox]) -> list[FaceBox]:
    """Keeps the best of boxes that show the same face (greedy non-maximum suppression), best first."""
    kept: list[FaceBox] = []
    for box in sorted(boxes, key=lambda b: -b.score):
        if not any(same_face(box, other) for other in kept):
            kept.append(box)
    return kept


def same_face(a: FaceBox, b: FaceBox) -> bool:
    """Whether two boxes show one face: they overlap, or one lies in the other, as a part of a face in the whole of it."""
    if a.x2 <= b.x1 or b.x2 <= a.x1 or a.y2 <= b.y1 or b.y2 <= a.y1:  # nearly all pairs in a crowd
        return False
    iou = a.iou(b)
    if iou >= _OVERLAP:
        return True
    shared = iou / (1 + iou) * (a.width * a.height + b.width * b.height)
    return shared > _INSIDE * min(a.width * a.height, b.width * b.height)


def _whole_steps(image: np.ndarray, long_side: int) -> tuple[np.ndarray, np.ndarray]:
    """An image without the last rows and columns that a whole factor does not divide, and that averaged by the factor.

    The factor is the largest with at least `long_side` pixels after it. The image then shrinks by less than two, which bilinear
    interpolation does without skipping a pixel. OpenCV averages by whole factors several times faster than by others.
    """
    height, width = image.shape[:2]
    factor = max(1, min(max(height, width) // long_side, height, width))
    if factor == 1:
        return image, image
    rows, columns = height // factor, width // factor
    image = image[: rows * factor, : columns * factor]
    return image, cv2.resize(image, (columns, rows), interpolation=cv2.INTER_AREA)


def _decode(outputs: list[np.ndarray], height: int, width: int, threshold: float) -> np.ndarray:
    """(N, 5) x1 y1 x2 y2 score in pixels of the network's input, from YuNet's anchor-free maps at three strides."""
    products = np.concatenate([classes[0, :, 0] * objects[0, :, 0] for classes, objects in zip(outputs[:3], outputs[3:6])])
    seen = np.flatnonzero(products >= threshold * threshold)
    if not seen.size:
        return np.zeros((0, 5))
    offsets = np.concatenate(outputs[6:], axis=1)[0, seen]
    corner, stride = (array[seen] for array in _cells(height, width))
    centre = corner + offsets[:, :2] * stride
    half = np.exp(np.clip(offsets[:, 2:4], -10, 10)) * stride / 2
    return np.column_stack([centre - half, centre + half, np.sqrt(np.minimum(products[seen], 1))]).astype(float)


@lru_cache(maxsize=64)
def _cells(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """(N, 2) x, y in pixels and (N, 1) stride of every cell of the three maps, row by row."""
    corners = []
    for stride in _STRIDES:
        y, x = np.divmod(np.arange((height // stride) * (width // stride)), width // stride)
        corners.append(np.column_stack([x, y]) * stride)
    strides = np.repeat(_STRIDES, [len(corner) for corner in corners])
    return np.concatenate(corners).astype(np.float32), strides[:, None].astype(np.float32)
