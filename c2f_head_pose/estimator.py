"""The whole pipeline: detect, track, crop, infer, decode, turn into the camera's frame, smooth."""
from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from .camera import pixel_ray
from .crop import CropSquare, cut, resize, square_about
from .decode import decode
from .depth import position_from_depth, position_from_size
from .detect import FaceDetector
from .engine import Engine, ModelError, open_engine
from .geometry import ray_rotation
from .smooth import RotationFilter
from .track import FaceTracker, Track
from .types import Camera, FaceBox, HeadPose

_LARGEST_BATCH = 64


@dataclass(frozen=True)
class EstimatorOptions:
    """What may change while an estimator runs.

    Attributes:
        detection_threshold: least score of a new face, in (0, 1).
        max_faces: at most this many faces, best first; at least 1.
        rescan_period_s: the whole image is searched for new faces at least this often, seconds.
        track_timeout_s: a face unseen for longer loses its id, seconds.
        smoothing: smooth rotations over time (only where images have stamps).
        smoothing_min_cutoff_hz: cutoff for a still head, Hz; lower is steadier and slower.
        smoothing_beta: growth of the cutoff with speed, Hz per rad/s; higher lags less in turns.
    """

    detection_threshold: float = 0.6
    max_faces: int = 10
    rescan_period_s: float = 1.0
    track_timeout_s: float = 0.5
    smoothing: bool = True
    smoothing_min_cutoff_hz: float = 1.5
    smoothing_beta: float = 3.0

    def __post_init__(self) -> None:
        """Raises ValueError for a value that cannot work, naming it."""
        for name, right, allowed in (
                ('detection_threshold', 0 < self.detection_threshold < 1, 'between 0 and 1'),
                ('max_faces', self.max_faces >= 1, 'at least 1'),
                ('rescan_period_s', self.rescan_period_s >= 0, 'at least 0'),
                ('track_timeout_s', self.track_timeout_s >= 0, 'at least 0'),
                ('smoothing_min_cutoff_hz', self.smoothing_min_cutoff_hz > 0, 'more than 0'),
                ('smoothing_beta', self.smoothing_beta >= 0, 'at least 0')):
            if not right:
                raise ValueError(f'{name} must be {allowed}, got {getattr(self, name)!r}')


class HeadPoseEstimator:
    """Estimates the orientation of every head in an image. Not thread-safe: one estimator, one thread.

    Attributes:
        options: may be replaced between images.
        stage_ms: milliseconds of the last image's stages: detect, crop, infer, decode.
    """

    def __init__(self, engine: Engine, detector: FaceDetector, options: EstimatorOptions | None = None) -> None:
        if engine.contract.modality != 'rgb':
            raise ModelError(f"model {engine.contract.name!r} reads {engine.contract.modality} crops; name one with modality 'rgb'")
        self.options = options or EstimatorOptions()
        self.stage_ms: dict[str, float] = {}
        self._engine = engine
        self._detector = detector
        self._tracker = FaceTracker(detector)
        self._filters: dict[int, RotationFilter] = {}
        self._last_stamp_s = -np.inf

    @classmethod
    def load(cls, model: str = 'c2f_edge', device: str = 'auto', threads: int = 1,
             options: EstimatorOptions | None = None) -> HeadPoseEstimator:
        """Opens a model and the face detector.

        Args:
            model: a shipped model's name, or the path of an .onnx file.
            device: 'auto', 'cpu' or 'cuda'.
            threads: CPU threads of each network, at least 1.
            options: see EstimatorOptions.

        Raises:
            ModelError: (a ValueError) for a model or detector that is missing, damaged or foreign, with the remedy.
        """
        return cls(open_engine(model, device, threads), FaceDetector(threads=threads), options)

    @property
    def device(self) -> str:
        """Where and with what the network runs, in words."""
        return self._engine.description

    @property
    def model_name(self) -> str:
        """The model's name and version."""
        return f'{self._engine.contract.name} {self._engine.contract.version}'

    def reset(self) -> None:
        """Forgets tracks and smoothing, as after a jump in time; ids are not used again."""
        self._tracker.reset()
        self._filters = {}
        self._last_stamp_s = -np.inf

    def estimate(self, image: np.ndarray, camera: Camera | None = None, depth_m: np.ndarray | None = None,
                 stamp_s: float | None = None, boxes: Sequence[Sequence[float]] | np.ndarray | None = None) -> list[HeadPose]:
        """The head poses in an image.

        Args:
            image: (H, W) gray or (H, W, 3) BGR, uint8.
            camera: its calibration; without it rotations are relative to the ray through each face, and positions unknown.
            depth_m: (H, W) float metres along the optical axis, NaN unknown, registered to the image; needs a camera.
            stamp_s: the image's stamp; faces are then tracked and smoothed. Without it the image stands alone.
            boxes: (N, 4) x1 y1 x2 y2 of faces already found, pixels; nothing is detected then. With a stamp they are not tracked.

        Returns:
            One HeadPose a face: by score, or longest followed first where tracked; empty when nobody was found.

        Raises:
            ValueError: naming the argument that is wrong.
        """
        _check_image(image)
        if camera is not None and (camera.height, camera.width) != image.shape[:2]:
            raise ValueError(f'the camera is calibrated for {camera.width}x{camera.height}, '
                             f'the image has {image.shape[1]}x{image.shape[0]}')
        if depth_m is not None and depth_m.shape != image.shape[:2]:
            raise ValueError(f'depth_m has shape {depth_m.shape}, it must be registered to the image, {image.shape[:2]}')
        start = time.perf_counter()
        faces, tracks = self._find(image, stamp_s, boxes)
        found = time.perf_counter()
        margin = self._engine.contract.detector_margin
        squares = [square_about(face, margin) for face in faces]
        crops = [self._gray_crop(image, square) for square in squares]
        cropped = time.perf_counter()
        outputs = self._infer(crops)
        inferred = time.perf_counter()
        poses = [self._place(pose, face, square, camera, depth_m) for pose, face, square in zip(outputs, faces, squares)]
        if tracks is not None and stamp_s is not None:
            poses = [self._follow(pose, track, stamp_s) for pose, track in zip(poses, tracks)]
        self.stage_ms = {'detect': 1e3 * (found - start), 'crop': 1e3 * (cropped - found), 'infer': 1e3 * (inferred - cropped),
                         'decode': 1e3 * (time.perf_counter() - inferred)}
        return poses

    def estimate_crops(self, crops: Sequence[np.ndarray]) -> list[HeadPose]:
        """The head poses of ready-cut faces: resized to the network's input, nothing detected or corrected.

        Args:
            crops: each (H, W) gray or (H, W, 3) BGR uint8, any size.

        Returns:
            One HeadPose a crop, relative to the ray through the crop's centre.
        """
        size = self._engine.contract.input_size
        for crop in crops:
            _check_image(crop)
        return self._infer([_gray(resize(crop, size)) for crop in crops])

    def _find(self, image: np.ndarray, stamp_s: float | None,
              boxes: Sequence | np.ndarray | None) -> tuple[list[FaceBox], list[Track] | None]:
        options = self.options
        if boxes is not None:
            return _checked_boxes(boxes), None
        if stamp_s is None:
            return self._detector.detect_all_sizes(image, options.detection_threshold)[:options.max_faces], None
        if not np.isfinite(stamp_s):
            raise ValueError(f'stamp_s must be finite, got {stamp_s}')
        if stamp_s < self._last_stamp_s:
            self.reset()
        self._last_stamp_s = stamp_s
        tracks = self._tracker.update(image, stamp_s, options.detection_threshold, options.rescan_period_s, options.track_timeout_s)
        tracks = tracks[:options.max_faces]
        return [t.box for t in tracks], tracks

    def _gray_crop(self, image: np.ndarray, square: CropSquare) -> np.ndarray:
        return _gray(cut(image, square, self._engine.contract.input_size))

    def _infer(self, crops: list[np.ndarray]) -> list[HeadPose]:
        poses: list[HeadPose] = []
        for first in range(0, len(crops), _LARGEST_BATCH):
            poses += decode(self._engine.infer(np.stack(crops[first:first + _LARGEST_BATCH])[:, None]))
        return poses

    def _place(self, pose: HeadPose, face: FaceBox, square: CropSquare, camera: Camera | None, depth_m: np.ndarray | None) -> HeadPose:
        """Turns a crop's pose into the camera's frame."""
        if camera is None:
            return replace(pose, box=face, score=face.score, R_cam_head_unsmoothed=pose.R_cam_head)
        R_cam_head = ray_rotation(pixel_ray(camera, *square.centre)) @ pose.R_cam_head
        position = position_from_depth(face, camera, depth_m) if depth_m is not None else None
        position = position or position_from_size(face, camera)
        t_cam_head_m, t_std_m = position or (None, None)
        return replace(pose, R_cam_head=R_cam_head, box=face, score=face.score, t_cam_head_m=t_cam_head_m, t_std_m=t_std_m,
                       R_cam_head_unsmoothed=R_cam_head)

    def _follow(self, pose: HeadPose, track: Track, stamp_s: float) -> HeadPose:
        """Gives a pose its track's id and smooths it."""
        self._filters = {i: f for i, f in self._filters.items() if self._tracker.knows(i)}
        if not self.options.smoothing:
            self._filters.pop(track.track_id, None)
            return replace(pose, track_id=track.track_id)
        smoother = self._filters.setdefault(track.track_id, RotationFilter())
        smoothed = smoother.update(pose.R_cam_head, stamp_s, self.options.smoothing_min_cutoff_hz, self.options.smoothing_beta)
        return replace(pose, R_cam_head=smoothed, track_id=track.track_id)


def _gray(image: np.ndarray) -> np.ndarray:
    return image if image.ndim == 2 else cv2.cvtColor(image, cv2.COLOR_BGR2GRAY)


def _check_image(image: np.ndarray) -> None:
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8:
        got = getattr(image, 'dtype', type(image).__name__)
        raise ValueError(f'an image must be a uint8 array, got {got}; scale 16-bit images to 8 bits')
    if image.ndim not in (2, 3) or (image.ndim == 3 and image.shape[2] != 3):
        raise ValueError(f'an image must be (H, W) gray or (H, W, 3) BGR, got shape {image.shape}')
    if image.shape[0] < 1 or image.shape[1] < 1:
        raise ValueError(f'an image must have pixels, got shape {image.shape}')


def _checked_boxes(boxes: Sequence | np.ndarray) -> list[FaceBox]:
    array = np.asarray(boxes, float).reshape(-1, 4) if len(boxes) == 0 else np.asarray(boxes, float)
    if array.ndim != 2 or array.shape[1] != 4:
        raise ValueError(f'boxes must be (N, 4) x1 y1 x2 y2, got shape {array.shape}')
    if not np.isfinite(array).all() or (array[:, 2:] <= array[:, :2]).any():
        raise ValueError('boxes must be finite with x2 > x1 and y2 > y1')
    return [FaceBox(*map(float, box)) for box in array]
