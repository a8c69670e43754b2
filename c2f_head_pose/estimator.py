"""The whole pipeline: detect, track, crop, infer, decode, turn into the camera's frame, smooth."""
from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from .camera import pixel_ray
from .crop import CropSquare, cut, fit, square_about
from .decode import decode
from .depth import depth_crop, enough_depth, fuse, position_from_depth, position_from_middle, position_from_size
from .depth_head_finder import DepthHead, find_heads
from .detect import FaceDetector
from .engine import Engine, ModelError, open_engine
from .geometry import ray_rotation
from .smooth import PositionFilter, RotationFilter
from .stages import StageClock
from .track import FaceTracker, Track
from .types import Camera, FaceBox, HeadPose

_LARGEST_BATCH = 64
FixedFrame = Callable[[], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True)
class EstimatorOptions:
    """What may change while an estimator runs.

    Attributes:
        detection_threshold: least score of a new face, in (0, 1).
        max_faces: at most this many faces, best first; at least 1.
        rescan_period_s: the whole image is searched for new faces at least this often, seconds.
        track_timeout_s: a face unseen for longer loses its id, seconds.
        smoothing: smooth rotations and positions over time (only where images have stamps).
        smoothing_min_cutoff_hz: cutoff for a still head, Hz; lower is steadier and slower.
        smoothing_beta: growth of the cutoff with speed, Hz per rad/s; higher lags less in turns.
        smoothing_position: smooth positions too; nothing is smoothed without `smoothing`.
        smoothing_position_min_cutoff_hz: cutoff for a head that stays where it is, Hz.
        smoothing_position_beta: growth of the cutoff with speed, Hz per m/s. At the defaults a head that moves at 0.5 m/s lags by 28 ms.
    """

    detection_threshold: float = 0.6
    max_faces: int = 10
    rescan_period_s: float = 1.0
    track_timeout_s: float = 0.5
    smoothing: bool = True
    smoothing_min_cutoff_hz: float = 1.5
    smoothing_beta: float = 3.0
    smoothing_position: bool = True
    smoothing_position_min_cutoff_hz: float = 1.0
    smoothing_position_beta: float = 5.0

    def __post_init__(self) -> None:
        """Raises ValueError for a value that cannot work, naming it."""
        for name, right, allowed in (
                ('detection_threshold', 0 < self.detection_threshold < 1, 'between 0 and 1'),
                ('max_faces', self.max_faces >= 1, 'at least 1'),
                ('rescan_period_s', self.rescan_period_s >= 0, 'at least 0'),
                ('track_timeout_s', self.track_timeout_s >= 0, 'at least 0'),
                ('smoothing_min_cutoff_hz', self.smoothing_min_cutoff_hz > 0, 'more than 0'),
                ('smoothing_beta', self.smoothing_beta >= 0, 'at least 0'),
                ('smoothing_position_min_cutoff_hz', self.smoothing_position_min_cutoff_hz > 0, 'more than 0'),
                ('smoothing_position_beta', self.smoothing_position_beta >= 0, 'at least 0')):
            if not right:
                raise ValueError(f'{name} must be {allowed}, got {getattr(self, name)!r}')


class HeadPoseEstimator:
    """Estimates the orientation of every head in an image. Not thread-safe: one estimator, one thread.

    Attributes:
        options: may be replaced between images.
        stages: what the last image took: detect (faces found and followed), crop, infer, decode (and turned into the camera's frame),
            smooth.
    """

    def __init__(self, engine: Engine | None, detector: FaceDetector | None, options: EstimatorOptions | None = None,
                 depth_engine: Engine | None = None) -> None:
        """Takes what `load` opens.

        Args:
            engine: of modality 'rgb'; None for depth alone.
            detector: None for depth alone.
            options: see EstimatorOptions.
            depth_engine: of modality 'depth'; None takes orientations from images alone.

        Raises:
            ModelError: for a model of another modality.
        """
        for one, modality in ((engine, 'rgb'), (depth_engine, 'depth')):
            if one is not None and one.contract.modality != modality:
                raise ModelError(f"model {one.contract.name!r} reads {one.contract.modality} crops; name one with modality {modality!r}")
        if engine is None and depth_engine is None:
            raise ModelError('an estimator needs a model')
        self.options = options or EstimatorOptions()
        self.stages = StageClock()
        self._engine = engine
        self._depth_engine = depth_engine
        self._detector = detector
        self._tracker = FaceTracker(detector)
        self._filters: dict[int, RotationFilter] = {}
        self._position_filters: dict[int, PositionFilter] = {}
        self._last_stamp_s = -np.inf

    @classmethod
    def load(cls, model: str = 'c2f_edge', device: str = 'auto', threads: int = 1,
             options: EstimatorOptions | None = None, depth_model: str | None = None) -> HeadPoseEstimator:
        """Opens a model and the face detector; of a model of modality 'depth' no detector: heads are found in depth too.

        Args:
            model: a shipped model's name, or the path of an .onnx file.
            device: 'auto', 'cpu' or 'cuda'.
            threads: CPU threads of each network, at least 1.
            options: see EstimatorOptions.
            depth_model: a model of modality 'depth' beside one of modality 'rgb': where depth is given, both are asked.

        Raises:
            ModelError: (a ValueError) for a model or detector that is missing, damaged or foreign, with the remedy.
        """
        engine = open_engine(model, device, threads)
        if engine.contract.modality == 'depth':
            return cls(None, None, options, engine)
        depth_engine = open_engine(depth_model, device, threads) if depth_model is not None else None
        return cls(engine, FaceDetector(threads=threads), options, depth_engine)

    @property
    def device(self) -> str:
        """Where and with what the network runs, in words."""
        return self._main.description

    @property
    def model_name(self) -> str:
        """The model's name and version."""
        return ' and '.join(f'{e.contract.name} {e.contract.version}' for e in (self._engine, self._depth_engine) if e is not None)

    @property
    def reads_depth(self) -> bool:
        """Whether orientations can come from depth."""
        return self._depth_engine is not None

    @property
    def _main(self) -> Engine:
        engine = self._engine or self._depth_engine
        assert engine is not None
        return engine

    def reset(self) -> None:
        """Forgets tracks and smoothing, as after a jump in time; ids are not used again."""
        self._tracker.reset()
        self._filters, self._position_filters = {}, {}
        self._last_stamp_s = -np.inf

    def follows(self, track_id: int) -> bool:
        """Whether a face is still followed, seen in the last image or not; an id that no longer is never comes back."""
        return self._tracker.knows(track_id)

    def estimate(self, image: np.ndarray | None, camera: Camera | None = None, depth_m: np.ndarray | None = None,
                 stamp_s: float | None = None, boxes: Sequence[Sequence[float]] | np.ndarray | None = None,
                 fixed_frame: FixedFrame | None = None) -> list[HeadPose]:
        """The head poses in an image, in an image and its depth, or in depth alone.

        Args:
            image: (H, W) gray or (H, W, 3) BGR, uint8; None for depth alone, which needs depth_m, camera and a depth model.
            camera: its calibration; without it rotations are relative to the ray through each face, and positions unknown.
            depth_m: (H, W) float metres along the optical axis, NaN unknown, registered to the image; positions need a camera.
            stamp_s: the image's stamp; faces are then tracked and smoothed. Without it the image stands alone.
            boxes: (N, 4) x1 y1 x2 y2 of faces already found, pixels; nothing is detected then. With a stamp they are not tracked.

            fixed_frame: returns where the camera was in a frame that does not move with it, such as a room's or a vehicle's: (3, 3)
                R_fixed_cam and (3,) t_fixed_cam_m. Smoothing then runs in that frame, so that a moving camera does not smear a still
                head; what is returned is in the camera's frame all the same. Called at most once, after the networks.

        Returns:
            One HeadPose a face: by score, or longest followed first where tracked; empty when nobody was found.

        Raises:
            ValueError: naming the argument that is wrong.
        """
        self._check(image, camera, depth_m)
        self.stages = stages = StageClock()
        heads: dict[FaceBox, DepthHead] = {}
        if image is None and boxes is None:
            assert depth_m is not None and camera is not None
            heads = {head.box: head for head in find_heads(depth_m, camera)}
        faces, tracks = self._find(image, stamp_s, boxes, list(heads))
        stages.end('detect')
        crops, squares = self._crops(image, faces)
        depth_crops, depth_squares = self._depth_crops(depth_m, faces)
        stages.end('crop')
        outputs = self._infer(crops, self._engine) if image is not None else len(faces) * [None]
        depth_outputs = self._infer_depth(depth_crops)
        stages.end('infer')
        poses = []
        tracks_seen = []
        for i, face in enumerate(faces):
            seen = [_turned(pose, square, camera) for pose, square in ((outputs[i], squares[i]), (depth_outputs[i], depth_squares[i]))
                    if pose is not None]
            if seen:
                poses.append(self._place(seen[0] if len(seen) == 1 else fuse(*seen), face, camera, depth_m, heads.get(face)))
                tracks_seen.append(tracks[i] if tracks is not None else None)
        stages.end('decode')
        if stamp_s is not None:
            self._filters = {i: f for i, f in self._filters.items() if self._tracker.knows(i)}
            self._position_filters = {i: f for i, f in self._position_filters.items() if self._tracker.knows(i)}
            place = fixed_frame() if fixed_frame is not None and self.options.smoothing and any(tracks_seen) else None
            poses = [pose if track is None else self._follow(pose, track, stamp_s, place) for pose, track in zip(poses, tracks_seen)]
        stages.end('smooth')
        return poses

    def _check(self, image: np.ndarray | None, camera: Camera | None, depth_m: np.ndarray | None) -> None:
        if image is not None:
            _check_image(image)
            if self._engine is None:
                raise ValueError('this estimator was loaded with a depth model alone: give image=None and depth_m, or load an rgb model')
        elif depth_m is None or camera is None or self._depth_engine is None:
            raise ValueError('an image must be a uint8 array; without one (None) depth_m, camera and a depth model are needed')
        shape = image.shape[:2] if image is not None else depth_m.shape  # type: ignore[union-attr]
        if camera is not None and (camera.height, camera.width) != shape:
            raise ValueError(f'the camera is calibrated for {camera.width}x{camera.height}, the image has {shape[1]}x{shape[0]}')
        if depth_m is not None and depth_m.shape != shape:
            raise ValueError(f'depth_m has shape {depth_m.shape}, it must be registered to the image, {shape}')

    def estimate_crops(self, crops: Sequence[np.ndarray]) -> list[HeadPose]:
        """The head poses of ready-cut faces: fitted into the network's square input, nothing detected or corrected.

        Args:
            crops: each (H, W) gray or (H, W, 3) BGR uint8, any size. One that is not square gets black bars; one that was stretched
                to a square before is read less well.

        Returns:
            One HeadPose a crop, relative to the ray through the crop's centre.
        """
        size = self._main.contract.input_size
        for crop in crops:
            _check_image(crop)
        return self._infer([_gray(fit(crop, size)) for crop in crops], self._main)

    def _find(self, image: np.ndarray | None, stamp_s: float | None, boxes: Sequence | np.ndarray | None,
              heads: list[FaceBox]) -> tuple[list[FaceBox], list[Track] | None]:
        options = self.options
        if boxes is not None:
            return _checked_boxes(boxes), None
        if stamp_s is None and image is None:
            return heads[:options.max_faces], None
        if stamp_s is None:
            assert self._detector is not None and image is not None
            return self._detector.detect_all_sizes(image, options.detection_threshold)[:options.max_faces], None
        if not np.isfinite(stamp_s):
            raise ValueError(f'stamp_s must be finite, got {stamp_s}')
        if stamp_s < self._last_stamp_s:
            self.reset()
        self._last_stamp_s = stamp_s
        tracks = self._tracker.follow(heads, stamp_s, 0.0, options.track_timeout_s) if image is None else self._tracker.update(
            image, stamp_s, options.detection_threshold, options.rescan_period_s, options.track_timeout_s)
        tracks = tracks[:options.max_faces]
        return [t.box for t in tracks], tracks

    def _crops(self, image: np.ndarray | None, faces: list[FaceBox]) -> tuple[list[np.ndarray], list[CropSquare | None]]:
        if image is None or self._engine is None:
            return [], [None for _ in faces]
        contract = self._engine.contract
        squares = [square_about(face, contract.detector_margin) for face in faces]
        return [_gray(cut(image, square, contract.input_size)) for square in squares], [*squares]

    def _depth_crops(self, depth_m: np.ndarray | None, faces: list[FaceBox]) -> tuple[list[np.ndarray | None], list[CropSquare | None]]:
        """A crop a face; None where too little depth is known."""
        if depth_m is None or self._depth_engine is None:
            return [None for _ in faces], [None for _ in faces]
        contract = self._depth_engine.contract
        squares = [square_about(face, contract.detector_margin) for face in faces]
        crops = [depth_crop(depth_m, square, contract.input_size, contract.depth_range_m) for square in squares]
        return [crop if enough_depth(crop) else None for crop in crops], [*squares]

    def _infer(self, crops: list[np.ndarray], engine: Engine | None) -> list[HeadPose]:
        poses: list[HeadPose] = []
        for first in range(0, len(crops), _LARGEST_BATCH):
            assert engine is not None
            poses += decode(engine.infer(np.stack(crops[first:first + _LARGEST_BATCH])[:, None]))
        return poses

    def _infer_depth(self, crops: list[np.ndarray | None]) -> list[HeadPose | None]:
        answers = iter(self._infer([crop for crop in crops if crop is not None], self._depth_engine))
        return [None if crop is None else next(answers) for crop in crops]

    def _place(self, pose: HeadPose, face: FaceBox, camera: Camera | None, depth_m: np.ndarray | None, head: DepthHead | None) -> HeadPose:
        """Gives a pose in the camera's frame its box and position."""
        pose = replace(pose, box=face, score=face.score, R_cam_head_unsmoothed=pose.R_cam_head)
        if camera is None:
            return pose
        position = position_from_middle(head.centre_m, pose.R_cam_head) if head is not None else None
        if position is None and depth_m is not None:
            position = position_from_depth(face, camera, depth_m)
        t_cam_head_m, t_std_m = position or position_from_size(face, camera) or (None, None)
        return replace(pose, t_cam_head_m=t_cam_head_m, t_std_m=t_std_m, t_cam_head_m_unsmoothed=t_cam_head_m)

    def _follow(self, pose: HeadPose, track: Track, stamp_s: float, place: tuple[np.ndarray, np.ndarray] | None) -> HeadPose:
        """Gives a pose its track's id and smooths it, in the camera's frame or in one in which the camera has a place."""
        options = self.options
        pose = replace(pose, track_id=track.track_id)
        if options.smoothing:
            rotation = self._filters.setdefault(track.track_id, RotationFilter())
            R = pose.R_cam_head if place is None else place[0] @ pose.R_cam_head
            R = rotation.update(R, stamp_s, options.smoothing_min_cutoff_hz, options.smoothing_beta)
            pose = replace(pose, R_cam_head=R if place is None else place[0].T @ R)
        else:
            self._filters.pop(track.track_id, None)
        if options.smoothing and options.smoothing_position and pose.t_cam_head_m is not None:
            position = self._position_filters.setdefault(track.track_id, PositionFilter())
            t_m = pose.t_cam_head_m if place is None else place[0] @ pose.t_cam_head_m + place[1]
            t_m = position.update(t_m, stamp_s, options.smoothing_position_min_cutoff_hz, options.smoothing_position_beta)
            return replace(pose, t_cam_head_m=t_m if place is None else place[0].T @ (t_m - place[1]))
        self._position_filters.pop(track.track_id, None)
        return pose


def _turned(pose: HeadPose, square: CropSquare | None, camera: Camera | None) -> HeadPose:
    """A crop's pose in the camera's frame; unchanged without a camera."""
    if camera is None or square is None:
        return pose
    return replace(pose, R_cam_head=ray_rotation(pixel_ray(camera, *square.centre)) @ pose.R_cam_head)


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
