"""Runs the pipeline on an image: detect, track, crop, infer, decode, rotate into the camera's frame, smooth."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from .camera import pixel_ray
from .crop import CropSquare, cut_gray, fit, gray, square_about
from .decode import decode
from .depth import (
    DistanceRatio,
    depth_crop,
    enough_depth,
    fuse,
    position_from_depth,
    position_from_middle,
    position_from_size,
    sellion_from_box,
)
from .detect import FaceDetector
from .engine import Engine, ModelError, open_engine
from .finder import Face, FaceFinder
from .frame import Boxes, Frame, check_image, checked_boxes
from .geometry import ray_rotation
from .options import EstimatorOptions
from .smooth import CameraPlace, PoseFilter
from .stages import StageClock
from .turn import turn_rotation_back, turn_upright
from .types import Camera, Finding, HeadPose

__all__ = ['EstimatorOptions', 'HeadPoseEstimator']

_LARGEST_BATCH = 64
_MOST_CHANNELS = 4
"""An array whose third and last axis has no more is one picture, not many of this width."""
FixedFrame = Callable[[], CameraPlace]


@dataclass(frozen=True, eq=False)
class _Crop:
    """The input of one network for one face."""

    face: Face
    engine: Engine
    square: CropSquare
    pixels: np.ndarray


@dataclass(frozen=True, eq=False)
class _Followed:
    """What is kept of a tracked face from image to image."""

    filter: PoseFilter = field(default_factory=PoseFilter)
    distance: DistanceRatio = field(default_factory=DistanceRatio)


class HeadPoseEstimator:
    """Estimates the orientation of every head in an image. Not thread-safe: use one estimator in one thread.

    Attributes:
        options: options, which may be replaced between images.
        stages: times of the last image: detect (and track), crop, infer, decode (and rotate into the camera's frame), smooth.
    """

    def __init__(
        self,
        engine: Engine | None,
        detector: FaceDetector | None,
        options: EstimatorOptions | None = None,
        depth_engine: Engine | None = None,
    ) -> None:
        """Combines engines and detector; `load` opens them by name.

        Args:
            engine: engine of modality 'rgb'; None for depth alone.
            detector: face detector; None for depth alone, or where every image comes with `boxes`.
            options: see EstimatorOptions; None for the defaults.
            depth_engine: engine of modality 'depth'; None if orientations come from images alone.

        Raises:
            ModelError: for an engine of the wrong modality, or without any engine.
        """
        for one, modality in ((engine, 'rgb'), (depth_engine, 'depth')):
            if one is not None and one.contract.modality != modality:
                raise ModelError(f'model {one.contract.name!r} reads {one.contract.modality} crops; use a model of modality {modality!r}')
        if engine is None and depth_engine is None:
            raise ModelError('an estimator needs an engine: give engine, depth_engine or both')
        self.options = options or EstimatorOptions()
        self.stages = StageClock()
        self._engine = engine
        self._depth_engine = depth_engine
        self._finder = FaceFinder(detector)
        self._followed: defaultdict[int, _Followed] = defaultdict(_Followed)

    @classmethod
    def load(
        cls,
        model: str | Path = 'c2f_edge',
        device: str = 'auto',
        threads: int = 1,
        options: EstimatorOptions | None = None,
        depth_model: str | Path | None = None,
    ) -> HeadPoseEstimator:
        """Opens a model and the face detector. A model of modality 'depth' needs no detector, because heads are found in depth.

        Args:
            model: a shipped model's name, or the path of an .onnx file.
            device: 'auto', 'cpu' or 'cuda'.
            threads: CPU threads of each network, at least 1.
            options: see EstimatorOptions; None for the defaults.
            depth_model: a second model, of modality 'depth'; its estimate is combined with the first model's where depth is given.

        Raises:
            ModelError: (a ValueError) for a model or detector that is missing, damaged or outside the contract, with the remedy.
        """
        engine = open_engine(str(model), device, threads)
        if engine.contract.modality == 'depth':
            if depth_model is not None:
                raise ModelError(
                    f'model {engine.contract.name!r} reads depth: leave out depth_model, or name one that reads images as model'
                )
            return cls(None, None, options, engine)
        depth_engine = open_engine(str(depth_model), device, threads) if depth_model is not None else None
        return cls(engine, FaceDetector(threads=threads), options, depth_engine)

    @property
    def device(self) -> str:
        """Device and library that run the network, as text."""
        return self._main.description

    @property
    def model_name(self) -> str:
        """Name and version of the model, or of both models."""
        return ' and '.join(f'{e.contract.name} {e.contract.version}' for e in (self._engine, self._depth_engine) if e is not None)

    @property
    def reads_images(self) -> bool:
        """Whether a model of images is loaded; without one, orientations come from depth alone."""
        return self._engine is not None

    @property
    def reads_depth(self) -> bool:
        """Whether a depth model is loaded, so that orientations can come from depth."""
        return self._depth_engine is not None

    @property
    def finding(self) -> Finding:
        """Findings of the last search for faces: more faces than `max_faces`, or a camera that seems to be mounted sideways."""
        return self._finder.finding

    @property
    def _main(self) -> Engine:
        engine = self._engine or self._depth_engine
        assert engine is not None
        return engine

    def reset(self) -> None:
        """Deletes tracks, smoothing and what depth told of distances, as needed after a jump in time. Track ids are not used again."""
        self._finder.reset()
        self._followed.clear()

    def follows(self, track_id: int) -> bool:
        """Whether a face is still tracked, seen in the last image or not. An id that was deleted is never used again."""
        return self._finder.follows(track_id)

    def estimate(
        self,
        image: np.ndarray | None,
        camera: Camera | None = None,
        depth_m: np.ndarray | None = None,
        stamp_s: float | None = None,
        boxes: Boxes | None = None,
        fixed_frame: FixedFrame | None = None,
    ) -> list[HeadPose]:
        """Estimates the head poses in an image, in an image with depth, or in depth alone.

        Args:
            image: (H, W) gray or (H, W, 3) BGR, uint8; None for depth alone, which needs depth_m, camera and a depth model.
            camera: the image's calibration; without it rotations are relative to the ray through each face, and positions unknown.
            depth_m: (H, W) float metres along the optical axis, NaN or 0 unknown, registered to the image; positions need a camera. If
                hardly a pixel is below 100 it is refused, as millimetres are.
            stamp_s: the image's stamp, seconds; faces are then tracked and smoothed. The same stamp again leaves a smoothed pose as it
                was. An image that is older than the last by less than a second is late: it is answered as a single one, and tracks and
                smoothing stay as they are. Both restart where stamps go back by more, for more than three images in a row or to the
                first one, and where the image has another size. None treats the image as a single one.
            boxes: (N, 4) x1 y1 x2 y2 of known faces, pixels, or FaceBoxes, in anything that can be read once; they replace detection,
                and are not tracked even with a stamp.
            fixed_frame: function that returns the camera's place in a frame that does not move with it, such as a room's or a
                vehicle's: (3, 3) R_fixed_cam and (3,) t_fixed_cam_m. Smoothing then runs in that frame, so that the camera's motion is
                not smoothed into the head's; the result stays in the camera's frame. Called at most once, after the networks.

        Returns:
            One HeadPose for each face: by score, or by age of the track where tracked; empty when no face was found. `finding` holds
            the search's findings.

        Raises:
            ValueError: naming the argument that is wrong, and the remedy.
        """
        frame = Frame(image, camera, depth_m, stamp_s)
        self._check_models(frame)
        frame.check_shapes()
        options = self.options  # one set for the whole image: another thread may replace it meanwhile
        self.stages = stages = StageClock()
        faces = self._find(frame, options) if boxes is None else [Face(box) for box in checked_boxes(boxes, frame.shape)]
        stages.end('detect')
        crops = self._crops(frame, faces, options.image_rotation)
        stages.end('crop')
        estimates = self._infer([crop.pixels for crop in crops], [crop.engine for crop in crops])
        stages.end('infer')
        poses: dict[Face, HeadPose] = {}
        for crop, estimate in zip(crops, estimates):
            pose = self._turned(estimate, crop.square, camera, options.image_rotation)
            poses[crop.face] = fuse(poses[crop.face], pose) if crop.face in poses else pose
        poses = {face: self._placed(pose, face, frame, options.image_rotation) for face, pose in poses.items()}
        stages.end('decode')
        tracked = stamp_s is not None and any(face.track_id is not None for face in poses)
        if tracked:
            for track_id in [track_id for track_id in self._followed if not self._finder.follows(track_id)]:
                del self._followed[track_id]
        place = fixed_frame() if tracked and fixed_frame is not None and options.smoothing else None
        answers = [self._smoothed(pose, face, frame, place, options) for face, pose in poses.items()]
        stages.end('smooth')
        return answers

    def estimate_crops(self, crops: Iterable[np.ndarray]) -> list[HeadPose]:
        """Estimates the head poses of cropped faces. Crops are resized to the network's input, without detection or correction.

        Args:
            crops: faces, each (H, W) gray or (H, W, 3) BGR uint8 of any size, or one array (N, H, W) or (N, H, W, 3) of them. A crop that
                is not square gets black bars; one that was stretched to a square gives larger errors.

        Returns:
            One HeadPose for each crop, relative to the ray through the crop's centre.

        Raises:
            ValueError: for a crop of another type or shape, or one that is not in a list.
        """
        if isinstance(crops, np.ndarray) and (crops.ndim == 2 or (crops.ndim == 3 and crops.shape[2] <= _MOST_CHANNELS)):
            raise ValueError(f'crops must be a list of faces, got one array of shape {crops.shape}; for one face give a list: [crop]')
        size = self._main.contract.input_size
        inputs = []
        for crop in crops:
            check_image(crop)
            inputs.append(fit(gray(crop), size))
        return self._infer(inputs, len(inputs) * [self._main])

    def _check_models(self, frame: Frame) -> None:
        """Checks that a model is loaded for what a frame has."""
        if frame.image is not None:
            if self._engine is None:
                raise ValueError('this estimator was loaded with a depth model alone: give image=None and depth_m, or load an rgb model')
        elif frame.depth_m is None or frame.camera is None or self._depth_engine is None:
            raise ValueError(
                'image is None, which cv2.imread returns for a file that it cannot read; give a uint8 array, or for depth alone depth_m, '
                'camera and an estimator with a depth model'
            )

    def _find(self, frame: Frame, options: EstimatorOptions) -> list[Face]:
        if frame.image is not None:
            return self._finder.find_faces(frame.image, frame.stamp_s, options)
        assert frame.depth_m is not None and frame.camera is not None
        return self._finder.find_heads(frame.depth_m, frame.camera, frame.stamp_s, options)

    # Estimate poses.

    def _crops(self, frame: Frame, faces: list[Face], rotation_deg: int) -> list[_Crop]:
        """Each face's upright crop for each network that can read it."""
        crops = []
        if frame.image is not None and self._engine is not None:
            size, margin = self._engine.contract.input_size, self._engine.contract.detector_margin
            for face in faces:
                square = square_about(face.box, margin)
                crops.append(_Crop(face, self._engine, square, turn_upright(cut_gray(frame.image, square, size), rotation_deg)))
        if frame.depth_m is not None and self._depth_engine is not None:
            contract = self._depth_engine.contract
            for face in faces:
                square = square_about(face.box, contract.detector_margin)
                pixels = depth_crop(frame.depth_m, square, contract.input_size, contract.depth_range_m)
                if enough_depth(pixels):
                    crops.append(_Crop(face, self._depth_engine, square, turn_upright(pixels, rotation_deg)))
        return crops

    def _infer(self, crops: list[np.ndarray], engines: list[Engine]) -> list[HeadPose]:
        """One pose for each crop, from the engine at the same index."""
        poses: list[HeadPose] = []
        for engine in dict.fromkeys(engines):  # crops of one engine follow each other
            own = [crop for crop, other in zip(crops, engines) if other is engine]
            for first in range(0, len(own), _LARGEST_BATCH):
                poses += decode(engine.infer(np.stack(own[first : first + _LARGEST_BATCH])[:, None]))
        return poses

    def _turned(self, pose: HeadPose, square: CropSquare, camera: Camera | None, rotation_deg: int) -> HeadPose:
        """A crop's pose in the camera's frame, or without a camera relative to the ray through the crop's centre."""
        R_ray_head = turn_rotation_back(pose.R_cam_head, rotation_deg)
        if camera is None:
            return replace(pose, R_cam_head=R_ray_head)
        return replace(pose, R_cam_head=ray_rotation(pixel_ray(camera, *square.centre)) @ R_ray_head)

    def _placed(self, pose: HeadPose, face: Face, frame: Frame, rotation_deg: int) -> HeadPose:
        """Adds box, score, track id and position to a pose in the camera's frame."""
        t_cam_head_m, t_cov_m2 = self._position(pose, face, frame, rotation_deg)
        return replace(
            pose,
            box=face.box,
            score=face.box.score,
            track_id=face.track_id,
            R_cam_head_unsmoothed=pose.R_cam_head,
            t_cam_head_m=t_cam_head_m,
            t_std_m=None if t_cov_m2 is None else np.sqrt(np.diag(t_cov_m2)),
            t_cam_head_m_unsmoothed=t_cam_head_m,
            t_cov_m2=t_cov_m2,
        )

    def _position(self, pose: HeadPose, face: Face, frame: Frame, rotation_deg: int) -> tuple[np.ndarray | None, np.ndarray | None]:
        """(3,) position and its (3, 3) covariance; None for both where the position is unknown."""
        if frame.camera is None:
            return None, None
        if face.head is not None:
            return position_from_middle(face.head.centre_m, pose.R_cam_head)
        depth_m = frame.depth_m
        measured = None if depth_m is None else position_from_depth(face.box, frame.camera, depth_m, rotation_deg)
        by_size = position_from_size(face.box, frame.camera, rotation_deg)
        if face.track_id is None or frame.stamp_s is None:
            placed = measured or by_size
        else:
            placed = self._followed[face.track_id].distance.place(measured, by_size, frame.stamp_s)
        return (None, None) if placed is None else sellion_from_box(placed, by_size, pose.R_cam_head)

    def _smoothed(self, pose: HeadPose, face: Face, frame: Frame, place: CameraPlace | None, options: EstimatorOptions) -> HeadPose:
        if face.track_id is None or frame.stamp_s is None:
            return pose
        return self._followed[face.track_id].filter.update(pose, frame.stamp_s, options, place, frame.camera is not None)
