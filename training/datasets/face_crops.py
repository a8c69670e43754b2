"""Cuts crops of real faces by the crop's name, which is stored with every figure.

published     AFLW2000 as published by FSA-Net: the 21 visible points' bounds, widened by 0.4 of their size on each side and
              clipped to the picture, resized to the square; the same for every network
unstretched   the same pixels of the picture in the middle of a square, as `HeadPoseEstimator.estimate_crops` takes a rectangle
landmarks     the square about the labelled 68 landmarks, `crop_margin` times their larger extent
box           the square about the set's own face box, its larger extent times `crop_margin` / 1.13: for Pointing'04, 1.25 where
              a network needs 1.41 times the landmarks' extent, as in the peers' protocol; for `csv:FILE` times `crop_margin` / 1.3, as
              the package cuts a detector's box
detector      the square that the package cuts about YuNet's box (`detected`); faces it misses are counted, not scored
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import cv2
import numpy as np

from c2f_head_pose import crop, geometry
from c2f_head_pose.detect import FaceDetector
from c2f_head_pose.estimator import EstimatorOptions
from c2f_head_pose.types import FaceBox

from .base import DETECTOR_EXTENT, Face

CROPS = ('published', 'unstretched', 'landmarks', 'box', 'detector')
LEAST_OVERLAP = 0.2
"""Smallest intersection over union of a detected box with the labelled face."""


def published_bounds(face: Face, height: int, width: int) -> tuple[int, int, int, int]:
    """Computes x1, y1, x2, y2 of FSA-Net's published AFLW2000 crop: whole pixels, inside the picture.

    Raises:
        ValueError: for a face without the 21 points.
    """
    if face.points21 is None:
        raise ValueError(f"{face.name} has no 21 points: the crop 'published' is AFLW2000's alone")
    x, y = face.points21.T
    seen = y > 0 if (x > 0).sum() > (y > 0).sum() else x > 0
    x, y = x[seen], y[seen]
    x1, x2, y1, y2 = int(x.min()), int(x.max()), int(y.min()), int(y.max())
    dx, dy = 0.4 * (x2 - x1), 0.4 * (y2 - y1)
    return max(int(x1 - dx), 0), max(int(y1 - dy), 0), min(int(x2 + dx), width - 1), min(int(y2 + dy), height - 1)


def landmark_box(face: Face) -> FaceBox:
    """Returns the box of the 68 landmarks.

    Raises:
        ValueError: for a face without them.
    """
    if face.landmarks is None:
        raise ValueError(f"{face.name} has no landmarks: the crop 'landmarks' needs a set that has them")
    (x1, y1), (x2, y2) = face.landmarks.min(0), face.landmarks.max(0)
    return FaceBox(float(x1), float(y1), float(x2), float(y2))


def landmark_square(face: Face, crop_margin: float) -> crop.CropSquare:
    """Returns the square that the crop 'landmarks' cuts.

    Raises:
        ValueError: for a face without landmarks.
    """
    return crop.square_about(landmark_box(face), crop_margin)


def box_square(face: Face, crop_margin: float) -> crop.CropSquare:
    """Returns the square that the crop 'box' cuts.

    Raises:
        ValueError: for a face without a box.
    """
    if face.box is None:
        raise ValueError(f"{face.name} has no box: the crop 'box' needs a set that has one")
    return crop.square_about(face.box, crop_margin / face.box_extent)


def detector_square(face: Face, detector_margin: float) -> crop.CropSquare:
    """Returns the square that the crop 'detector' cuts, as the package does.

    Raises:
        ValueError: for a face without a box.
    """
    if face.box is None:
        raise ValueError(f"{face.name} has no box: give the crop 'detector' the faces of `detected`")
    return crop.square_about(face.box, detector_margin)


SQUARES = {'landmarks': landmark_square, 'box': box_square, 'detector': detector_square}
"""The crops that are squares of the picture, by name: of a face and a margin, the network's `crop_margin` or `detector_margin`."""


def ray_of(face: Face, square: crop.CropSquare) -> np.ndarray:
    """Returns (3, 3) R_ray of a square's centre (R_cam_head = R_ray R_crop_head); the identity where the camera is unknown."""
    if face.K is None:
        return np.eye(3)
    x, y = square.centre
    return geometry.ray_rotation(np.linalg.solve(face.K, [x - 0.5, y - 0.5, 1]))


def detected(faces: list[Face], threads: int = 1) -> list[Face]:
    """Finds faces with the package's detector, and gives them its boxes; faces that it misses are omitted.

    Of several boxes in a picture, the one that overlaps the labelled face most is used, or the one with the highest score if the set has
    no boxes.

    Raises:
        ModelError: when the detector has not been fetched yet.
    """
    detector, options = FaceDetector(threads=threads), EstimatorOptions()
    found = []
    for face in faces:
        labelled = landmark_box(face) if face.landmarks is not None else face.box
        boxes = detector.detect_all_sizes(face.read(), options.detection_threshold)[: options.max_faces]
        best = max(boxes, key=lambda b: b.iou(labelled) if labelled else b.score, default=None)
        if best is not None and (labelled is None or best.iou(labelled) >= LEAST_OVERLAP):
            found.append(replace(face, box=best, box_extent=DETECTOR_EXTENT))
    return found


def cutter(name: str, size: int, margin: float) -> Callable[[Face, np.ndarray], np.ndarray]:
    """Returns the function that cuts a face's (size, size) gray uint8 crop out of its picture.

    Args:
        name: one of CROPS; 'detector' of faces that `detected` found.
        size: the network's input.
        margin: the network's `crop_margin`, or its `detector_margin` for 'detector'.

    Raises:
        ValueError: for another name.
    """

    def published_part(face: Face, image: np.ndarray) -> np.ndarray:
        x1, y1, x2, y2 = published_bounds(face, *image.shape[:2])
        return image[y1 : max(y2, y1 + 2), x1 : max(x2, x1 + 2)]

    def published(face: Face, image: np.ndarray) -> np.ndarray:
        # bilinear without averaging, as published: the protocol's own resize, not the package's
        return cv2.resize(published_part(face, image), (size, size))

    def unstretched(face: Face, image: np.ndarray) -> np.ndarray:
        return crop.fit(published_part(face, image), size)

    def square(face: Face, image: np.ndarray) -> np.ndarray:
        return crop.cut_gray(image, SQUARES[name](face, margin), size)

    named = {'published': published, 'unstretched': unstretched, **dict.fromkeys(SQUARES, square)}
    if name not in named:
        raise ValueError(f'crop {name!r} is none of {", ".join(named)}')
    return lambda face, image: crop.gray(named[name](face, image))
