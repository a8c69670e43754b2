"""Provides each stage of the path from an image to head poses as a function that can be timed."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from ..crop import cut, square_about
from ..decode import decode
from ..depth import depth_crop
from ..depth_head_finder import find_heads
from ..detect import FaceDetector
from ..engine import Engine, open_engine
from ..estimator import HeadPoseEstimator
from ..smooth import RotationFilter
from ..types import FaceBox
from . import scenes

Jobs = dict[str, Callable[[], object]]

WHOLE = 'whole path, followed'
ALONE = 'whole path, first or single image'
_THRESHOLD = 0.4
_PERIOD_S = 1 / 30


class Path:
    """A model with detector and estimator, opened once, for scenes of any size and number of faces.

    Args:
        model: a shipped name or an .onnx file.
        threads: CPU threads of each network.
    """

    def __init__(self, model: str, threads: int) -> None:
        self.engine: Engine = open_engine(model, 'cpu', threads)
        self.modality = self.engine.contract.modality
        self._detector = None if self.modality == 'depth' else FaceDetector(threads=threads)
        self._model = model
        self._threads = threads

    def stages(self, faces: int) -> Jobs:
        """Returns every stage and the whole path on a 640x480 scene with a number of faces. The input of each stage is made in advance."""
        return self._depth_stages(faces) if self.modality == 'depth' else self._image_stages(faces)

    def whole(self, faces: int, width: int, height: int) -> Callable[[], object]:
        """Returns the whole path on a scene that is tracked at 30 images a second, with one search of the whole image a second."""
        estimator, stamps = HeadPoseEstimator.load(self._model, 'cpu', self._threads), itertools.count(1)
        image, depth_m = self._scene(faces, width, height)
        camera = scenes.camera(width, height)
        return lambda: estimator.estimate(image, camera=camera, depth_m=depth_m, stamp_s=_PERIOD_S * next(stamps))

    def _scene(self, faces: int, width: int = 640, height: int = 480) -> tuple[np.ndarray | None, np.ndarray | None]:
        if self.modality == 'depth':
            return None, scenes.dolls(faces, width, height)
        return scenes.picture(faces, width, height), None

    def _image_stages(self, faces: int) -> Jobs:
        detector = self._detector
        assert detector is not None
        image, _ = self._scene(faces)
        assert image is not None
        estimator = HeadPoseEstimator.load(self._model, 'cpu', self._threads)
        boxes = _as_many(detector.detect(image, _THRESHOLD, 320), faces)
        contract = self.engine.contract

        def crops() -> np.ndarray:
            squares = [square_about(box, contract.detector_margin) for box in boxes]
            return np.stack([cut(gray, square, contract.input_size) for square in squares])[:, None]

        gray = np.ascontiguousarray(image[:, :, 0])
        return {
            'detect, whole image': lambda: detector.detect(image, _THRESHOLD, 320),
            'detect, around one face': lambda: detector.detect_near(image, boxes[0], _THRESHOLD),
            'crop': lambda: [cut(image, square_about(box, contract.detector_margin), contract.input_size) for box in boxes],
            **self._network_stages(crops()),
            ALONE: lambda: estimator.estimate(image, camera=scenes.camera()),
            WHOLE: self.whole(faces, 640, 480),
        }

    def _depth_stages(self, faces: int) -> Jobs:
        _, depth_m = self._scene(faces)
        assert depth_m is not None
        camera, contract = scenes.camera(), self.engine.contract
        estimator = HeadPoseEstimator.load(self._model, 'cpu', self._threads)
        boxes = _as_many([head.box for head in find_heads(depth_m, camera)], faces)

        def crops() -> list[np.ndarray]:
            squares = [square_about(box, contract.detector_margin) for box in boxes]
            return [depth_crop(depth_m, square, contract.input_size, contract.depth_range_m) for square in squares]

        return {
            'find heads': lambda: find_heads(depth_m, camera),
            'crop': crops,
            **self._network_stages(np.stack(crops())[:, None]),
            ALONE: lambda: estimator.estimate(None, camera=camera, depth_m=depth_m),
            WHOLE: self.whole(faces, 640, 480),
        }

    def _network_stages(self, crops: np.ndarray) -> Jobs:
        output = self.engine.infer(crops)
        filters, stamps = [RotationFilter() for _ in crops], itertools.count(1)
        rotations = [pose.R_cam_head for pose in decode(output)]

        def smooth() -> None:
            stamp_s = _PERIOD_S * next(stamps)
            for one, R in zip(filters, rotations):
                one.update(R, stamp_s, 1.5, 3.0)

        return {'network': lambda: self.engine.infer(crops), 'decode': lambda: decode(output), 'smooth': smooth}


def _as_many(boxes: list[FaceBox], faces: int) -> list[FaceBox]:
    """Returns the boxes; raises RuntimeError unless there is one for each face, because the stages' times would be of fewer faces."""
    if len(boxes) != faces:
        raise RuntimeError(
            f'the detector finds {len(boxes)} of the {faces} faces in the test scene; fetch the shipped detector again with fetch_models'
        )
    return boxes
