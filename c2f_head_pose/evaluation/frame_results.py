"""Collects the results of an evaluation image by image: matches poses with the truth, and writes the files of a recording."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import numpy as np

from ..camera import in_image, may_see, pixel_ray
from ..geometry import category_index, geodesic_deg, ray_rotation
from ..recordings.reader import Frame, UnreadableImage
from ..turn import turn_rotation_back
from ..types import CATEGORIES, Camera, HeadPose
from .attention.timeline import AttentionTimeline, driver_monitor
from .frames_csv import FramesWriter
from .options import Options
from .poses_bag import PosesWriter
from .report.video import AnnotatedVideo
from .report.worst import WorstFrames
from .rotations import quaternions_from_rotations, rotations_from_quaternions
from .series import FACE, IMAGE, MISSED, NO_TRACK, STAGES, Rows, clock_jump_s
from .sources import Answer
from .truth.heads import Truth
from .truth.matching import Matcher
from .truth.read import present_at

_UNKNOWN = np.full(4, np.nan)
_NO_TIMES = (float('nan'),) * len(STAGES)


class FrameResults:
    """The results of an evaluation, image by image, and the writers of its files.

    Args:
        folder: folder for frames.csv, poses.mcap and annotated.mp4.
        options: options of the evaluation.
        truth: the truth in the package's convention; None without.
        open_files: closes the files at the end.
        follows: says of a track whether the estimator still follows it; None without an estimator.

    Attributes:
        truth: the truth; None without.
        faces: one row for each face found or missed.
        images: one row for each image.
        unplaced: indices of the images at which the truth does not say where every head is.
        clock_jumps: jumps of the stamps' clock; see Series.
        out_of_view: number of images at which a true head is outside the image.
        tracks: index of each track's id.
        attention: the driver's attention over time; None where it was not requested.
        worst: the frames with the largest errors.
    """

    def __init__(
        self, folder: Path, options: Options, truth: Truth | None, open_files: ExitStack, follows: Callable[[int], bool] | None = None
    ) -> None:
        self.truth, self.worst = truth, WorstFrames()
        self.faces, self.images = Rows(FACE), Rows(IMAGE)
        self.unplaced: list[int] = []
        self.clock_jumps: list[tuple[int, float]] = []
        self._last_ns: tuple[int, int] | None = None
        self.out_of_view = 0
        self.tracks: dict[str, int] = {}
        self._options = options
        self.attention = None
        if options.attention:
            monitor = driver_monitor(options.attention, options.camera_elevation_deg, options.image_rotation)
            self.attention = AttentionTimeline(monitor)
        self._matcher = Matcher(by_position=truth is not None and truth.located)
        self._csv = FramesWriter(folder / 'frames.csv')
        open_files.callback(self._csv.close)
        self._poses = PosesWriter(folder / 'poses.mcap', follows) if options.poses and not options.recorded_topic else None
        if self._poses:
            open_files.callback(self._poses.close)
        self._video = AnnotatedVideo(folder / 'annotated.mp4') if options.video else None
        if self._video:
            open_files.callback(self._video.close)

    def skip(self, image: UnreadableImage) -> None:
        """Adds an image that cannot be read; for the driver's attention the camera is blind."""
        self._watch_clock(image)
        if self.attention:
            self.attention.take(image.stamp_s, None)
        self._csv.empty(image.index, image.stamp_ns, 'unreadable', _NO_TIMES)
        self.images.add(image.index, image.stamp_s, 0, 0, 0, 0, False, True, *_NO_TIMES)

    def take(self, answer: Answer) -> None:
        """Adds one image: matches its poses with the truth, and writes the results."""
        frame, poses = answer.frame, answer.poses
        self._watch_clock(frame)
        if self.attention:
            self.attention.take(frame.stamp_s, None if answer.dropped else poses)
        present = [] if answer.dropped else self._present(frame)
        matched = self._matcher.match(poses, [t for _, _, t in present], frame.camera)
        times = (*(answer.stage_ms.get(s, float('nan')) for s in ('detect', 'crop', 'infer', 'decode')), answer.total_ms, answer.publish_ms)
        for pose, other_deg, k in zip(poses, answer.other_deg, matched):
            self._face(frame, pose, other_deg, None if k is None else present[k][:2], times)
        missed = [head for j, head in enumerate(present) if j not in matched and self._in_view(head[2], frame.camera)]
        heads = len(poses) - matched.count(None) + len(missed)
        self.out_of_view += heads < len(present)
        for number, q, _ in missed:
            self.faces.add(frame.index, frame.stamp_s, MISSED, number, _UNKNOWN, _UNKNOWN, q, _UNKNOWN[:3], _UNKNOWN, -1, np.nan)
            assert self.truth is not None
            self._csv.miss(frame.index, frame.stamp_ns, self.truth.heads[number].name, rotations_from_quaternions(q)[0], times)
        if not poses and not missed:
            self._csv.empty(frame.index, frame.stamp_ns, 'dropped' if answer.dropped else 'nobody', times)
        self.images.add(frame.index, frame.stamp_s, len(poses), heads, len(missed), matched.count(None), answer.dropped, False, *times)
        if self._poses and not answer.dropped:
            self._poses.write(frame.stamp_ns, frame.log_ns, frame.frame_id, poses)
        if self._video:
            self._video.write(frame.image, poses, frame.camera, frame.stamp_s)

    def _watch_clock(self, image: Frame | UnreadableImage) -> None:
        """Keeps a jump of the stamps' clock: the time from the image before is another by the stamps than by the recording times."""
        if self._last_ns is not None:
            stamp_ns, log_ns = self._last_ns
            if jump_s := clock_jump_s(image.stamp_ns - stamp_ns, image.log_ns - log_ns):
                self.clock_jumps.append((image.index, jump_s))
        self._last_ns = image.stamp_ns, image.log_ns

    def _present(self, frame: Frame) -> list[tuple[int, np.ndarray, np.ndarray | None]]:
        """Returns the true heads as present_at does; of several that are told apart by position, those whose position is known."""
        if self.truth is None:
            return []
        present = present_at(self.truth.heads, frame.stamp_s, self._options.max_gap_s)
        placed = [head for head in present if head[2] is not None]
        if len(self.truth.heads) == 1 or not self.truth.located or len(placed) == len(present):
            return present
        self.unplaced.append(frame.index)
        return placed

    def _in_view(self, t_cam_head_m: np.ndarray | None, camera: Camera | None) -> bool:
        """Whether a true head is in the image, or nobody knows."""
        if self.truth is None or not self.truth.located or t_cam_head_m is None or camera is None:
            return True
        return bool(in_image(camera, t_cam_head_m[None])[0])

    def _track(self, pose: HeadPose) -> int:
        """Returns the index of a face's id in `tracks`, to which a new id is added."""
        return NO_TRACK if pose.face_id is None else self.tracks.setdefault(pose.face_id, len(self.tracks))

    def _face(self, frame: Frame, pose: HeadPose, other_deg: float, head: tuple[int, np.ndarray] | None, times: tuple[float, ...]) -> None:
        unsmoothed = pose.R_cam_head if pose.R_cam_head_unsmoothed is None else pose.R_cam_head_unsmoothed
        R_true = None if head is None else rotations_from_quaternions(head[1])[0]
        name = '' if head is None or self.truth is None else self.truth.heads[head[0]].name
        R_crop_cam = _crop_rotation(pose, frame.camera, self._options.image_rotation)
        if not pose.category:
            pose = replace(pose, category=_category(R_crop_cam @ unsmoothed))
        self.faces.add(
            frame.index,
            frame.stamp_s,
            self._track(pose),
            -1 if head is None else head[0],
            quaternions_from_rotations(pose.R_cam_head)[0],
            quaternions_from_rotations(unsmoothed)[0],
            _UNKNOWN if head is None else head[1],
            pose.rotation_std_deg,
            quaternions_from_rotations(R_crop_cam)[0],
            CATEGORIES.index(pose.category),
            other_deg,
        )
        true_category = '' if R_true is None else _category(R_crop_cam @ R_true)
        self._csv.face(frame.index, frame.stamp_ns, pose, name, R_true, true_category, other_deg, times)
        if R_true is not None:
            score = float(geodesic_deg(R_true, pose.R_cam_head))
            caption = f'{score:.1f} deg off'
        elif self.truth is not None:
            return
        elif np.isfinite(other_deg):
            score, caption = other_deg, f'models differ by {other_deg:.1f} deg'
        else:
            score = float(np.mean(pose.rotation_std_deg))
            caption = f'stated deviation {score:.1f} deg'
        self.worst.offer(score, frame.index, frame.stamp_s, caption, frame.image, pose, frame.camera)


def _category(R_crop_head: np.ndarray) -> str:
    return CATEGORIES[int(category_index(R_crop_head))]


def _crop_rotation(pose: HeadPose, camera: Camera | None, image_rotation: int) -> np.ndarray:
    """Computes the (3, 3) rotation from the camera's axes to those of a face's upright crop, in which categories are.

    Of a recorded pose, which has no box, the ray to its position stands for that through the crop's centre; without one, the optical axis.
    """
    R_cam_ray = np.eye(3)
    if pose.box is not None and camera is not None:
        R_cam_ray = ray_rotation(pixel_ray(camera, *pose.box.centre))
    elif pose.box is None and pose.t_cam_head_m is not None and may_see(camera, pose.t_cam_head_m):
        R_cam_ray = ray_rotation(pose.t_cam_head_m)
    return (R_cam_ray @ turn_rotation_back(np.eye(3), image_rotation)).T
