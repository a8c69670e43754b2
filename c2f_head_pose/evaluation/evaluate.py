"""Evaluates one recording: compares poses with the truth, writes files image by image, and computes the figures at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..estimator import EstimatorOptions, HeadPoseEstimator
from ..finder import mute_findings
from ..geometry import geodesic_deg
from ..recordings.bagfile import BagError, BagFile
from ..recordings.choice import TopicChoice, first_message, frame_of
from ..recordings.pictures import PICTURE_RATE_HZ
from ..recordings.reader import Frame, Notes, UnreadableImage
from ..recordings.topics import choose_topics
from ..types import CATEGORIES, HeadPose
from .attention.timeline import AttentionTimeline, Span, driver_monitor
from .frames_csv import FramesWriter
from .poses_bag import PosesWriter
from .report.video import AnnotatedVideo
from .report.worst import Thumbnail, WorstFrames
from .rotations import quaternions_from_rotations, rotations_from_quaternions
from .series import FACE, IMAGE, MISSED, NO_TRACK, STAGES, Rows, Series
from .sources import Answer, Answers, RecordedPoses, answered_frames, estimate_frames
from .summary import Scored, aligned_truth, pairs_of
from .truth.alignment import Alignment, estimate_alignment, fits_as_radians, likelier_convention
from .truth.heads import Truth
from .truth.matching import Matcher
from .truth.read import present_at, read_truth
from .truth.stamps import describe_gap

_UNKNOWN = np.full(4, np.nan)
_NO_TIMES = (float('nan'),) * len(STAGES)


@dataclass(frozen=True)
class Options:
    """Options of an evaluation, with the names and defaults of the command line (evaluate_bag --help)."""

    model: str = 'c2f_edge'
    device: str = 'auto'
    threads: int = 1
    second_model: str | None = None
    recorded_topic: str | None = None
    image: str | None = None
    camera_info: str | None = None
    depth: str | None = None
    rectified: bool = False
    truth: tuple[str, ...] = ()
    truth_axes: str = 'head'
    truth_parent: str = 'optical'
    truth_offset_s: float = 0.0
    truth_complete: bool = False
    max_gap_s: float = 0.1
    picture_rate_hz: float = PICTURE_RATE_HZ
    attention: str | None = None
    camera_elevation_deg: float = 0.0
    smoothing: bool = True
    max_faces: int = EstimatorOptions.max_faces
    min_face_px: int = EstimatorOptions.min_face_px
    image_rotation: int = EstimatorOptions.image_rotation
    video: bool = True
    poses: bool = True
    limit: int = 0


@dataclass(eq=False)
class Evaluated:
    """The evaluation of a recording, complete or up to an error.

    Attributes:
        name: the recording's name.
        path: the recording's path.
        scored: the results; None if no image could be read.
        topics: the topics that were read, as text.
        truth: the truth with its convention, as text; None without.
        alignment: alignment between truth and estimates; None without.
        likelier: axes and parent frame in which the truth fits much better; None if it fits as stated.
        notes: unusual facts about the recording, with their number.
        errors: reasons why the evaluation ended early or is not complete.
        worst: thumbnails of the worst frames.
        attention: the driver's attention in spans of stamps; None where it was not requested.
        interrupted: the user interrupted the evaluation.
    """

    name: str
    path: str
    scored: Scored | None = None
    topics: tuple[str, ...] = ()
    truth: str | None = None
    alignment: Alignment | None = None
    likelier: tuple[str, str] | None = None
    notes: dict[str, int] = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    worst: list[Thumbnail] = field(default_factory=list)
    attention: list[Span] | None = None
    interrupted: bool = False


Progress = Callable[[int, int, float], None]
"""Called with the number of images done, their total (0 if unknown) and the seconds of the recording done."""


def load_estimator(options: Options) -> HeadPoseEstimator | None:
    """Opens the estimator that a node with these options would use; returns None where recorded poses are evaluated.

    Raises:
        ModelError: for a model that cannot be used, with the remedy.
    """
    if options.recorded_topic:
        return None
    mute_findings()  # the report's notes have them
    wanted = EstimatorOptions(
        smoothing=options.smoothing, max_faces=options.max_faces, min_face_px=options.min_face_px, image_rotation=options.image_rotation
    )
    return HeadPoseEstimator.load(options.model, options.device, options.threads, wanted)


def evaluate_recording(
    path: Path,
    name: str,
    folder: Path,
    options: Options,
    estimator: HeadPoseEstimator | None,
    progress: Progress = lambda done, total, seconds: None,
    second: HeadPoseEstimator | None = None,
    answers: Answers | None = None,
) -> Evaluated:
    """Evaluates a recording, and writes frames.csv, poses.mcap and the video into a folder image by image.

    Faults of the recording are not raised: `errors` lists them, and the results of the images before are kept. KeyboardInterrupt ends
    the evaluation in the same way.

    Args:
        path: the recording.
        name: name of the recording, for titles.
        folder: folder for the files; created.
        options: options of the evaluation.
        estimator: the estimator, which is reset first; None for recorded or live poses.
        progress: called after each image.
        second: estimator of another model, for a comparison.
        answers: poses of a running node, instead of the estimator.
    """
    result, notes = Evaluated(name, str(path)), Notes()
    folder.mkdir(parents=True, exist_ok=True)
    run = None
    start = time.perf_counter()
    try:
        with ExitStack() as open_files:
            bag = open_files.enter_context(BagFile(path, options.picture_rate_hz))
            for note in bag.notes:
                notes.add(note)
            choice = choose_topics(bag, options.image, options.camera_info, options.depth, rectified=options.rectified)
            result.topics = choice.reasons
            truth = _truth(bag, choice, options, result, notes)
            if options.recorded_topic and answers is None:
                answers = RecordedPoses(open_files.enter_context(BagFile(path)), options.recorded_topic)
            run = _Run(folder, options, truth, bag, choice, open_files)
            if answers is not None:
                source = answered_frames(bag, choice, notes, answers, options.rectified)
            else:
                assert estimator is not None
                estimator.reset()
                source = estimate_frames(bag, choice, notes, estimator, options.rectified, second)
            total = min(filter(None, (bag.topics[choice.image].count, options.limit)), default=0)
            _go(run, source, progress, total, options.limit)
            if bag.damage:
                result.errors.append(bag.damage)
    except KeyboardInterrupt:
        result.interrupted = True
        result.errors.append('interrupted: the results until then are kept')
    except (BagError, OSError) as error:
        result.errors.append(str(error))
    result.notes = notes.counts
    if run is not None:
        _finish(run, result, options, time.perf_counter() - start)
    return result


def _go(run: _Run, source: Iterator[Answer | UnreadableImage], progress: Progress, total: int, limit: int) -> None:
    first_s = None
    for done, answer in enumerate(source, start=1):
        if isinstance(answer, UnreadableImage):
            run.skip(answer)
            stamp_s = answer.stamp_s
        else:
            run.take(answer)
            stamp_s = answer.frame.stamp_s
        first_s = stamp_s if first_s is None else first_s
        progress(done, total, stamp_s - first_s)
        if done == limit:
            return


def _truth(bag: BagFile, choice: TopicChoice, options: Options, result: Evaluated, notes: Notes) -> Truth | None:
    """Reads the truth and converts it to the package's convention; a truth that cannot be read is an error, but the evaluation goes on."""
    if options.truth == ('none',):
        return None
    frame_id = frame_of(first_message(bag, choice.image))
    try:
        truth = read_truth(bag, options.truth, frame_id, options.truth_complete)
    except BagError as error:
        result.errors.append(str(error))
        return None
    if truth is None:
        notes.add('no truth: figures that need a truth are not computed; name one with --truth')
        return None
    truth = truth.stated_in(options.truth_axes, options.truth_parent)
    if options.truth_offset_s:
        truth = truth.delayed(-options.truth_offset_s)
    words = f'{truth.source}, axes {truth.axes}, in {truth.frame_id or "the camera frame"} ({options.truth_parent})'
    result.truth = words + (f', stated {1e3 * options.truth_offset_s:+.0f} ms late' if options.truth_offset_s else '')
    if truth.frame_id and truth.frame_id != frame_id:
        truth = replace(truth, located=False)
        notes.add(
            f'the truth is in frame {truth.frame_id!r}, the images in {frame_id!r}: both are assumed to be the same frame; check the '
            'rotation of the alignment'
        )
    return truth


class _Run:
    """The state of an evaluation, and the writers of its files."""

    def __init__(
        self, folder: Path, options: Options, truth: Truth | None, bag: BagFile, choice: TopicChoice, open_files: ExitStack
    ) -> None:
        self.truth, self.worst = truth, WorstFrames()
        self.faces, self.images = Rows(FACE), Rows(IMAGE)
        self.tracks: dict[str, int] = {}
        self._options = options
        self.attention = AttentionTimeline(driver_monitor(options.attention, options.camera_elevation_deg)) if options.attention else None
        self._matcher = Matcher(by_position=truth is not None and truth.located)
        self._csv = FramesWriter(folder / 'frames.csv')
        open_files.callback(self._csv.close)
        self._poses = PosesWriter(folder / 'poses.mcap') if options.poses and not options.recorded_topic else None
        if self._poses:
            open_files.callback(self._poses.close)
        self._video = AnnotatedVideo(folder / 'annotated.mp4') if options.video else None
        if self._video:
            open_files.callback(self._video.close)

    def skip(self, image: UnreadableImage) -> None:
        """Adds an image that cannot be read; for the driver's attention the camera is blind."""
        if self.attention:
            self.attention.take(image.stamp_s, None)
        self._csv.empty(image.index, image.stamp_ns, 'unreadable', _NO_TIMES)
        self.images.add(image.index, image.stamp_s, 0, 0, 0, 0, False, True, *_NO_TIMES)

    def take(self, answer: Answer) -> None:
        """Adds one image: matches its poses with the truth, and writes the results."""
        frame, poses = answer.frame, answer.poses
        if self.attention:
            self.attention.take(frame.stamp_s, None if answer.dropped else poses)
        known = self.truth is not None and not answer.dropped
        present = present_at(self.truth.heads, frame.stamp_s, self._options.max_gap_s) if self.truth and known else []
        matched = self._matcher.match(poses, [t for _, _, t in present], frame.camera)
        times = (*(answer.stage_ms.get(s, float('nan')) for s in ('detect', 'crop', 'infer', 'decode')), answer.total_ms, answer.publish_ms)
        for pose, other_deg, k in zip(poses, answer.other_deg, matched):
            self._face(frame, pose, other_deg, None if k is None else present[k][:2], times)
        missed = [head for j, head in enumerate(present) if j not in matched]
        for number, q, _ in missed:
            self.faces.add(frame.index, frame.stamp_s, MISSED, number, _UNKNOWN, _UNKNOWN, q, _UNKNOWN[:3], -1, np.nan)
            assert self.truth is not None
            self._csv.miss(frame.index, frame.stamp_ns, self.truth.heads[number].name, rotations_from_quaternions(q)[0], times)
        if not poses and not missed:
            self._csv.empty(frame.index, frame.stamp_ns, 'dropped' if answer.dropped else 'nobody', times)
        self.images.add(
            frame.index, frame.stamp_s, len(poses), len(present), len(missed), matched.count(None), answer.dropped, False, *times
        )
        if self._poses and not answer.dropped:
            self._poses.write(frame.stamp_ns, frame.log_ns, frame.frame_id, poses)
        if self._video:
            self._video.write(frame.image, poses, frame.camera, frame.stamp_s)

    def _track(self, pose: HeadPose) -> int:
        """Returns the index of a face's id in `tracks`, to which a new id is added."""
        return NO_TRACK if pose.face_id is None else self.tracks.setdefault(pose.face_id, len(self.tracks))

    def _face(self, frame: Frame, pose: HeadPose, other_deg: float, head: tuple[int, np.ndarray] | None, times: tuple[float, ...]) -> None:
        unsmoothed = pose.R_cam_head if pose.R_cam_head_unsmoothed is None else pose.R_cam_head_unsmoothed
        R_true = None if head is None else rotations_from_quaternions(head[1])[0]
        name = '' if head is None or self.truth is None else self.truth.heads[head[0]].name
        self.faces.add(
            frame.index,
            frame.stamp_s,
            self._track(pose),
            -1 if head is None else head[0],
            quaternions_from_rotations(pose.R_cam_head)[0],
            quaternions_from_rotations(unsmoothed)[0],
            _UNKNOWN if head is None else head[1],
            pose.rotation_std_deg,
            CATEGORIES.index(pose.category),
            other_deg,
        )
        self._csv.face(frame.index, frame.stamp_ns, pose, name, R_true, other_deg, times)
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


def _finish(run: _Run, result: Evaluated, options: Options, wall_s: float) -> None:
    """Computes the alignment and stores the results; without a readable image there are no results."""
    images = run.images.array()
    if not len(images) or images['unreadable'].all():
        result.errors.append('no image could be read')
        return
    truth = run.truth
    series = Series(
        run.faces.array(),
        images,
        tuple(h.name for h in truth.heads) if truth else (),
        truth.complete if truth else False,
        tuple(run.tracks),
    )
    aligned = None
    if truth is not None and len(series.matched):
        pairs = pairs_of(series, truth)
        result.likelier = likelier_convention(truth, pairs, options.max_gap_s)
        if fits_as_radians(truth, pairs, options.max_gap_s):
            result.errors.append(
                f'the angles of {truth.source} fit much better as radians than as degrees: name their columns yaw_rad, pitch_rad, roll_rad'
            )
        result.alignment = estimate_alignment(pairs, options.max_gap_s)
        if result.alignment is not None:
            aligned = aligned_truth(series, truth, result.alignment, options.max_gap_s)
    elif truth is not None:
        gap = describe_gap(truth, images['stamp_s'], options.max_gap_s)
        result.errors.append(f'no face could be compared with the truth: {gap or "no face was found where the truth has a head"}')
    result.worst = run.worst.sorted()
    result.attention = run.attention.spans() if run.attention else None
    result.scored = Scored(result.name, series, aligned, wall_s)


def names_of(paths: Sequence[Path], name: Callable[[Path], Any]) -> list[str]:
    """Returns a unique name for each recording.

    Args:
        paths: the recordings.
        name: function that names a recording; a number is added to a name that is used already.
    """
    names: list[str] = []
    for path in paths:
        base, number, candidate = name(path), 2, name(path)
        while candidate in names:
            candidate, number = f'{base}_{number}', number + 1
        names.append(candidate)
    return names
