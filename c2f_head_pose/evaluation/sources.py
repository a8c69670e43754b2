"""Provides the poses that are evaluated: from the estimator, from a topic of the recording, or from a running node."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from ..estimator import HeadPoseEstimator
from ..files import age_ms, stamp_ns
from ..geometry import geodesic_deg
from ..parameters import Parameters
from ..pose_messages import head_from_message, heads_from_detections
from ..recordings.bagfile import BagError, BagFile
from ..recordings.choice import TopicChoice
from ..recordings.reader import Frame, Notes, UnreadableImage, read_frames
from ..stamp_order import Order, StampOrder
from ..transforms import frames_differ, plain_frame
from ..types import HeadPose
from .handover import Handover
from .truth.read import POSE_TYPES

_AHEAD = 4
_WINDOW_NS = 3 * 10**9
_MATCH_NS = 500_000
"""A recorded pose belongs to the image with its stamp; half a millisecond allows for stamps that were stored as a float."""
_DETECTIONS = 'vision_msgs/msg/Detection3DArray'
_UNTOLD = (
    'images without a pose message, counted as those in which nobody was found: a topic of one pose cannot tell them from dropped ones; '
    'evaluate a Detection3DArray, such as ~/head_poses'
)


@dataclass(frozen=True, eq=False)
class Answer:
    """An image and its poses.

    Attributes:
        frame: the image.
        poses: the image's poses.
        other_deg: angle of each pose to the second model's estimate, degrees; NaN without a second model.
        stage_ms: milliseconds by stage; empty where unknown.
        total_ms: milliseconds of the whole estimate; NaN unknown.
        publish_ms: milliseconds from the image's stamp to the pose's arrival; NaN unknown, as for stamps of another clock.
        dropped: the image has no pose message, or came late, so that the node would leave it out.
    """

    frame: Frame
    poses: list[HeadPose]
    other_deg: list[float]
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    total_ms: float = float('nan')
    publish_ms: float = float('nan')
    dropped: bool = False


def estimate_frames(
    bag: BagFile,
    choice: TopicChoice,
    notes: Notes,
    estimator: HeadPoseEstimator,
    rectified: bool = False,
    second: HeadPoseEstimator | None = None,
    depth_tolerance_s: float = Parameters.depth_tolerance_s,
) -> Iterator[Answer | UnreadableImage]:
    """Runs the estimator on every image of a recording, with the node's settings and as fast as possible.

    Another thread reads the images in advance; the results do not depend on the speed.

    Args:
        bag: the recording.
        choice: the recording's topics.
        notes: receives what is unusual about the recording.
        estimator: estimates the poses.
        rectified: the images are rectified; see read_frames.
        second: a second estimator, for `Answer.other_deg`.
        depth_tolerance_s: see read_frames.

    Yields:
        Each image with its poses, or that it cannot be read.
    """
    size, order = None, StampOrder()
    for frame in _ahead(lambda: read_frames(bag, choice, notes, rectified, depth_tolerance_s)):
        if isinstance(frame, UnreadableImage):
            yield frame
            continue
        if order.late(frame.stamp_s):
            notes.add('images that came less than a second late are left out, as the node leaves them out (dropped)')
            yield Answer(frame, [], [], dropped=True)
            continue
        if size is not None and size != frame.image.shape[:2]:
            notes.add('the resolution changes: tracking restarts', f'to {frame.image.shape[1]}x{frame.image.shape[0]}')
        follows = order.take(frame.stamp_s)
        if follows is Order.BACK:
            notes.add('stamps that go back: tracking restarts, in recorded order')
            estimator.reset()
        elif follows is Order.STILL:
            notes.add('stamps that stand still: each image is answered by itself, without tracking or smoothing, as the node answers it')
        elif follows is Order.SAME:
            notes.add('images with the stamp of the image before')
        size = frame.image.shape[:2]
        stamp_s = None if follows is Order.STILL else frame.stamp_s
        start = time.perf_counter()
        try:
            poses = estimator.estimate(frame.image if estimator.reads_images else None, frame.camera, frame.depth_m, stamp_s)
        except ValueError as error:
            notes.add('images that the estimator refuses: they are not evaluated', str(error))
            yield UnreadableImage(frame.index, frame.stamp_ns, frame.log_ns)
            continue
        total_ms = 1e3 * (time.perf_counter() - start)
        for option, note in estimator.finding.notes().items():
            notes.add(f'images that need another --{option.replace("_", "-")}', note)
        stage_ms = dict(estimator.stages.wall_ms)
        yield Answer(frame, poses, _disagreement(second, frame, poses), stage_ms, total_ms)


def answered_frames(
    bag: BagFile, choice: TopicChoice, notes: Notes, answers: Answers, rectified: bool = False
) -> Iterator[Answer | UnreadableImage]:
    """Yields the images of a recording with poses that are already known.

    Args:
        bag: the recording.
        choice: the recording's topics.
        notes: receives what is unusual about the recording.
        answers: returns the poses of an image; an image without a message was dropped, or nobody was found.
        rectified: the images are rectified; see read_frames.
    """
    for frame in _ahead(lambda: read_frames(bag, choice, notes, rectified)):
        if isinstance(frame, UnreadableImage):
            yield frame
            continue
        answer = answers.of(frame)
        if answer is None and not answers.tell_nobody:
            notes.add(_UNTOLD)
            answer = [], float('nan')
        if answer is None:
            notes.add('images without a pose message (dropped)')
            yield Answer(frame, [], [], dropped=True)
        else:
            yield Answer(frame, answer[0], [float('nan')] * len(answer[0]), publish_ms=answer[1])


class Answers(Protocol):
    """Finds the poses of an image.

    Attributes:
        tell_nobody: whether there is a message for an image in which nobody was found, so that one without a message was dropped.
    """

    tell_nobody: bool

    def of(self, frame: Frame) -> tuple[list[HeadPose], float] | None:
        """Returns the poses and publish_ms of an image; None for an image without a message."""
        ...


@dataclass(frozen=True, eq=False)
class _Recorded:
    """A pose message: its stamp, its recording time, and its poses."""

    stamp_ns: int
    log_ns: int
    poses: list[HeadPose]


class RecordedPoses:
    """Reads poses from a recording; holds a few seconds of them in memory.

    Where stamps come again, as of a replay that started over while it was recorded, an image has the message recorded nearest to it.

    Args:
        bag: the recording, opened for this object only.
        topic: topic of type Detection3DArray, PoseWithCovarianceStamped, PoseStamped or QuaternionStamped, in the images' frame.

    Attributes:
        tell_nobody: see Answers.

    Raises:
        BagError: for a topic that is missing or holds no poses.
    """

    def __init__(self, bag: BagFile, topic: str) -> None:
        if topic not in bag.topics:
            raise BagError(f'{bag.path.name} has no topic {topic}; it holds {", ".join(bag.topics) or "nothing"}')
        self._kind = bag.topics[topic].type
        if self._kind not in POSE_TYPES:
            raise BagError(f'{topic} has type {self._kind}, which holds no poses; name a topic of type {", ".join(POSE_TYPES)}')
        self._topic, self.tell_nobody = topic, self._kind == _DETECTIONS
        self._messages = bag.messages([topic])
        self._held: deque[_Recorded] = deque()
        self._stamped = False
        self._read_to_ns = -1

    def of(self, frame: Frame) -> tuple[list[HeadPose], float] | None:
        """See Answers."""
        while self._read_to_ns < frame.log_ns + _WINDOW_NS and (message := next(self._messages, None)) is not None:
            decoded = message.decode()
            check_frame(decoded.header.frame_id, frame, self._topic)
            self._stamped |= stamp_ns(decoded) != 0
            self._held.append(_Recorded(stamp_ns(decoded), message.log_ns, poses_from_message(decoded, self._kind)))
            self._read_to_ns = message.log_ns
        if self._held:
            check_stamps(self._stamped, self._topic)
        while self._held and self._held[0].log_ns < frame.log_ns - _WINDOW_NS:
            self._held.popleft()
        own = [held for held in self._held if abs(held.stamp_ns - frame.stamp_ns) <= _MATCH_NS]
        if not own:
            return None
        answer = min(own, key=lambda held: abs(held.log_ns - frame.log_ns))
        publish_ms = age_ms(1e-9 * (answer.log_ns - answer.stamp_ns))
        return answer.poses, float('nan') if publish_ms is None else publish_ms


def check_frame(frame_id: str, frame: Frame, topic: str) -> None:
    """Refuses poses in another frame than the images', such as those of a node with `target_frame`.

    Otherwise angles, categories and truth about different axes would be compared. Poses or images without a frame are accepted.

    Args:
        frame_id: frame of the poses.
        frame: an image.
        topic: topic of the poses, for the message.

    Raises:
        BagError: naming both frames and the remedy.
    """
    poses, images = plain_frame(frame_id), plain_frame(frame.frame_id)
    if frames_differ(poses, images):
        raise BagError(
            f"the poses on {topic} are in frame {poses!r}, the images in {images!r}: poses can be evaluated in the images' frame "
            'only; record head_pose without target_frame, or evaluate the images instead of the recorded poses'
        )


def check_stamps(stamped: bool, topic: str) -> None:
    """Refuses poses without stamps, which are a node's answers to images without stamps: no image would have an answer.

    Args:
        stamped: whether any of the poses has a stamp.
        topic: topic of the poses, for the message.

    Raises:
        BagError: naming the remedy.
    """
    if not stamped:
        raise BagError(
            f'the poses on {topic} have no stamps, as the images that they answer had none, so they cannot be paired with these: set '
            'header.stamp in the camera driver and record again, or evaluate the images instead of the recorded poses'
        )


def poses_from_message(message: Any, kind: str) -> list[HeadPose]:
    """Reads the head poses of a message, with standard deviations from the covariance and the published ids.

    A pose whose quaternion is unset (zero or not finite) is skipped. The head of a message without ids has track 1.

    Args:
        message: a message of one of POSE_TYPES.
        kind: the message's type.
    """
    if kind == _DETECTIONS:
        heads = heads_from_detections(message)
    elif kind == 'geometry_msgs/msg/PoseWithCovarianceStamped':
        heads = [head_from_message(message.pose.pose.orientation, message.pose.pose.position, message.pose.covariance, track_id=1)]
    elif kind == 'geometry_msgs/msg/PoseStamped':
        heads = [head_from_message(message.pose.orientation, message.pose.position, track_id=1)]
    else:
        heads = [head_from_message(message.quaternion, track_id=1)]
    return [head for head in heads if np.isfinite(head.R_cam_head).all()]


def _disagreement(second: HeadPoseEstimator | None, frame: Frame, poses: list[HeadPose]) -> list[float]:
    """Angles in degrees between both models' unsmoothed estimates on the same boxes."""
    if second is None or not poses:
        return [float('nan')] * len(poses)
    boxes = [(p.box.x1, p.box.y1, p.box.x2, p.box.y2) for p in poses if p.box is not None]
    others = second.estimate(frame.image, frame.camera, boxes=boxes)
    return [
        float(geodesic_deg(p.R_cam_head_unsmoothed, o.R_cam_head)) if p.R_cam_head_unsmoothed is not None else float('nan')
        for p, o in zip(poses, others)
    ]


def _ahead(start: Callable[[], Iterator[Frame | UnreadableImage]]) -> Iterator[Frame | UnreadableImage]:
    """Yields the frames of an iterator, which another thread reads up to four frames ahead."""
    ready: Handover[Frame | UnreadableImage | BaseException | None] = Handover(_AHEAD)
    stop = threading.Event()

    def put(item: Frame | UnreadableImage | BaseException | None) -> bool:
        while not stop.is_set():
            if ready.put(item, 0.1):
                return True
        return False

    def read() -> None:
        try:
            for frame in start():
                if not put(frame):
                    return
            put(None)
        except Exception as error:  # the consuming thread raises it
            put(error)

    thread = threading.Thread(target=read, name='read ahead', daemon=True)
    thread.start()
    try:
        while (item := ready.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield item
    finally:
        stop.set()
        thread.join()
