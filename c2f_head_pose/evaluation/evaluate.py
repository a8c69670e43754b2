"""Evaluates one recording: compares poses with the truth, writes files image by image, and computes the figures at the end."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..estimator import HeadPoseEstimator
from ..finder import mute_findings
from ..models.registry import ModelError
from ..recordings.bagfile import BagError, BagFile
from ..recordings.choice import TopicChoice, first_message, frame_of
from ..recordings.reader import Notes, UnreadableImage, first_camera
from ..recordings.topics import choose_depth, choose_topics
from .attention.timeline import Span
from .frame_results import FrameResults
from .options import Options
from .report.worst import Thumbnail
from .result_files import remove_results
from .series import LEAST_RATE_HZ, Series
from .sources import Answer, Answers, RecordedPoses, answered_frames, estimate_frames
from .summary import Scored, aligned_truth, pairs_of
from .truth.alignment import Alignment, estimate_alignment, fits_as_radians, likelier_convention
from .truth.heads import Truth
from .truth.read import read_truth
from .truth.stamps import describe_gap

__all__ = ['Evaluated', 'Options', 'evaluate_recording', 'load_estimator', 'load_second', 'names_of']


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


CUT_SHORT = 'interrupted: the results until then are kept'
"""The error of a recording whose evaluation was interrupted."""

Progress = Callable[[int, int, float], None]
"""Called with the number of images done, their total (0 if unknown) and the seconds of the recording done, by its recording times."""


def load_estimator(options: Options) -> HeadPoseEstimator | None:
    """Opens the estimator that a node with these options would use; returns None where recorded poses are evaluated.

    Raises:
        ModelError: for a model that cannot be used, with the remedy.
    """
    if options.recorded_topic:
        return None
    mute_findings()  # the report's notes have them
    estimator = HeadPoseEstimator.load(options.model, options.device, options.threads, options.estimator_options, options.depth_model)
    if options.second_model and not estimator.reads_images:
        raise ModelError(f'leave out --second-model: model {options.model!r} reads depth alone, without the images to compare on')
    return estimator


def load_second(options: Options) -> HeadPoseEstimator | None:
    """Opens the estimator of the model that is compared on the same faces; returns None without one.

    Raises:
        ModelError: for a model that cannot be used or reads depth, naming the option.
    """
    if not options.second_model:
        return None
    try:
        second = load_estimator(replace(options, model=options.second_model, depth_model=None, second_model=None))
    except ModelError as error:
        raise ModelError(f'--second-model: {error}') from error
    if second is not None and second.reads_depth:
        raise ModelError(f'--second-model: model {options.second_model!r} reads depth; name one that reads images')
    return second


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
        folder: folder for the files; created. Results of an earlier evaluation are removed from it.
        options: options of the evaluation.
        estimator: the estimator, which is reset first; None for recorded or live poses.
        progress: called after each image.
        second: estimator of another model, for a comparison.
        answers: poses of a running node, instead of the estimator.
    """
    result, notes = Evaluated(name, str(path)), Notes()
    folder.mkdir(parents=True, exist_ok=True)
    remove_results(folder)
    run = None
    start = time.perf_counter()
    try:
        with ExitStack() as open_files:
            bag = open_files.enter_context(BagFile(path, options.picture_rate_hz))
            for note in bag.notes:
                notes.add(note)
            if estimator is not None and (unused := options.unused_parameters):
                notes.add(f'parameters of --params-file that have no effect here: {", ".join(unused)}')
            choice = _choose(bag, options, estimator)
            result.topics = choice.reasons
            if options.depth_model and estimator is not None and choice.depth is None:
                raise BagError(f'{bag.path.name} has no depth that is registered to its images: leave out --depth-model')
            truth = _truth(bag, choice, options, result, notes)
            if options.recorded_topic and answers is None:
                answers = RecordedPoses(open_files.enter_context(BagFile(path)), options.recorded_topic)
            run = FrameResults(folder, options, truth, open_files, estimator.follows if estimator is not None else None)
            if answers is not None:
                source = answered_frames(bag, choice, notes, answers, options.rectified)
            else:
                assert estimator is not None
                estimator.reset()
                source = estimate_frames(bag, choice, notes, estimator, options.rectified, second, options.depth_tolerance_s)
            total = min(filter(None, (bag.topics[choice.image].count, options.limit)), default=0)
            _go(run, source, progress, total, options.limit)
            if bag.damage:
                result.errors.append(bag.damage)
            if not _any_read(run):
                result.errors.append('no image could be read')
    except KeyboardInterrupt:
        result.interrupted = True
        result.errors.append(CUT_SHORT)
    except (BagError, OSError) as error:
        result.errors.append(str(error))
    result.notes = notes.counts
    if run is not None and _any_read(run):
        _finish(run, result, options, time.perf_counter() - start)
    return result


def _go(run: FrameResults, source: Iterator[Answer | UnreadableImage], progress: Progress, total: int, limit: int) -> None:
    first_ns = None
    for done, answer in enumerate(source, start=1):
        if isinstance(answer, UnreadableImage):
            run.skip(answer)
            log_ns = answer.log_ns
        else:
            run.take(answer)
            log_ns = answer.frame.log_ns
        first_ns = log_ns if first_ns is None else first_ns
        progress(done, total, 1e-9 * (log_ns - first_ns))
        if done == limit:
            return


def _choose(bag: BagFile, options: Options, estimator: HeadPoseEstimator | None) -> TopicChoice:
    """Chooses the topics: images and what belongs to them, or depth where the estimator reads depth alone."""
    if estimator is None or estimator.reads_images:
        return choose_topics(bag, options.image, options.camera_info, options.depth, rectified=options.rectified)
    if options.image:
        raise BagError(f'leave out --image: model {options.model!r} reads depth alone, of the topic --depth')
    return choose_depth(bag, options.camera_info, options.depth)


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
    for note in truth.notes:
        notes.add(note)
    truth = truth.stated_in(options.truth_axes, options.truth_parent)
    if options.truth_offset_s:
        truth = truth.delayed(-options.truth_offset_s)
    words = f'{truth.source}, axes {truth.axes}, in {truth.frame_id or "the camera frame"} ({options.truth_parent})'
    result.truth = words + (f', stated {1e3 * options.truth_offset_s:+.0f} ms late' if options.truth_offset_s else '')
    if options.truth_parent == 'optical' and truth.frame_id and truth.frame_id != frame_id:
        notes.add(
            f'the truth is in frame {truth.frame_id!r}, the images in {frame_id!r}: both are assumed to be the same frame; check the '
            'rotation of the alignment'
        )
        return truth
    return replace(truth, located=truth.places_heads(first_camera(bag, choice, options.rectified)))


def _any_read(run: FrameResults) -> bool:
    return not run.images.array()['unreadable'].all()


def _finish(run: FrameResults, result: Evaluated, options: Options, wall_s: float) -> None:
    """Computes the alignment and stores the results."""
    images = run.images.array()
    truth = run.truth
    truth_known = None
    if truth is not None:
        truth_known = truth.known_at(images['stamp_s'], options.max_gap_s)
        if unknown := int(np.count_nonzero(~truth_known & ~images['unreadable'])):
            result.notes['images at which the truth is unknown: their faces are neither right nor false'] = unknown
        if run.unplaced:
            note = 'images at which the truth does not say where every head is: such a head is left out, and no face is false'
            result.notes[note] = len(run.unplaced)
            truth_known &= ~np.isin(images['frame'], run.unplaced)
        if run.out_of_view:
            result.notes['images at which a true head is out of view: without a face it is not missed'] = run.out_of_view
    series = Series(
        run.faces.array(),
        images,
        tuple(h.name for h in truth.heads) if truth else (),
        truth.complete if truth else False,
        tuple(run.tracks),
        truth_known,
        np.array(run.clock_jumps).reshape(-1, 2),
    )
    if ahead := int(np.count_nonzero(series.clock_jumps[:, 1] > 0)):
        result.notes['stamps that jump forward, as where a camera sets its clock: such jumps are not part of duration_s'] = ahead
    if series.rare:
        result.notes[f'fewer than {LEAST_RATE_HZ} images a second: jitter and the lag of smoothing are not computed'] = 1
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
        reason = describe_gap(truth, images['stamp_s'], options.max_gap_s)
        if reason is None and run.out_of_view and not images['heads'].any():
            reason = "by its positions no true head is ever in view: they must be in the camera's frame, as --truth-parent states it"
        result.errors.append(f'no face could be compared with the truth: {reason or "no face was found where the truth has a head"}')
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
