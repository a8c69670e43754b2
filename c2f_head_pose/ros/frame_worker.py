"""Answers one image after the other: reads it, estimates the head poses, publishes and counts them."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..counting import counted
from ..files import FOREIGN_CLOCK_S, age_ms
from ..images import ImageError
from ..parameters import Parameters
from ..primary_face import PrimaryFace, in_region
from ..stages import StageClock
from ..stamp_order import Order, StampOrder
from ..transforms import is_body
from ..types import Finding, HeadPose
from . import messages
from .components import Parts
from .frame_reader import Frame, FrameReader
from .frames import TF_REFUSES_S, FixedMount, FrameError, Mount, TfMount
from .log import Notices
from .neutral_services import NeutralServices
from .outputs import FramePoses
from .statistics import Answer, Statistics

_REPEAT_S = 30.0
_STEADY_S = 10.0
"""Transforms that are missing for some of the images are no longer reported once none was for so long."""


@dataclass(frozen=True)
class Monitoring:
    """Where a worker reports what happens.

    Attributes:
        statistics: counts every image.
        notices: logs what is wrong with them.
        topic: the images' topic, for messages.
    """

    statistics: Statistics
    notices: Notices
    topic: str


class FrameWorker:
    """Processes images in the worker's thread, from activation to deactivation. The content of an image cannot stop the node.

    Attributes:
        frame_id: frame of the last processed image.
        stamp_problem: reason why the last image was answered by itself, with the remedy; empty if it was tracked and smoothed.
        frame_problem: reason why the last image's poses could not be converted to target_frame; empty if they could.
        tf_wait_s: how long the last image waited for TF, seconds.
    """

    def __init__(
        self,
        parts: Parts,
        reader: FrameReader,
        neutral: NeutralServices,
        monitoring: Monitoring,
        parameters: Callable[[], Parameters],
        now_s: Callable[[], float],
    ) -> None:
        """Starts without an image.

        Args:
            parts: model, outputs, mount.
            reader: reads the messages.
            neutral: the rotation that counts as straight.
            monitoring: receives the reports.
            parameters: returns the set in force.
            now_s: the node's clock, seconds; only measures latency.
        """
        self.frame_id = ''
        self.stamp_problem = ''
        self.frame_problem = ''
        self.tf_wait_s = 0.0
        self._parts = parts
        self._reader = reader
        self._neutral = neutral
        self._statistics = monitoring.statistics
        self._notices = monitoring.notices
        self._topic = monitoring.topic
        self._parameters = parameters
        self._now_s = now_s
        self._order = StampOrder()
        self._depth_alone = False
        self._last_stamp_at_s = 0.0
        self._no_transform_at_s = 0.0
        self._size: tuple[int, int] | None = None
        self._primary = PrimaryFace(lambda track_id: parts.estimator.follows(track_id))

    def answer(self, message: Any, depth_alone: bool) -> None:
        """Answers an image, or counts it and reports why it cannot be answered.

        Args:
            message: sensor_msgs/Image or CompressedImage.
            depth_alone: it is a depth image.
        """
        if not self._drop_late(message.header, depth_alone):
            self._try(message, depth_alone)
        self.empty_stale_list()

    def _drop_late(self, header: Any, depth_alone: bool) -> bool:
        """Whether an image is late; it is counted then, and reported unless depth alone was answered before it, which may be newer."""
        changed, self._depth_alone = depth_alone is not self._depth_alone, depth_alone
        stamp_s, last_s = messages.stamp_s(header), self._order.last_s
        if stamp_s == 0.0 or last_s is None or not self._order.late(stamp_s):
            return False
        self._statistics.count_drop('late')
        if changed:
            return True
        self._notices.once(
            'late',
            f'an image on {self._topic} came after one that is {last_s - stamp_s:.3f} s newer, and is left out, as are '
            'others that come late; if that goes on, look for two publishers of this topic',
        )
        return True

    def _try(self, message: Any, depth_alone: bool) -> None:
        try:
            answer = self._answer(message, depth_alone)
        except FrameError as error:
            self.frame_problem, self._no_transform_at_s = str(error), time.monotonic()
            self._statistics.count_drop('no transform')
            self._notices.throttled('transform', f'image not answered: {error}', _REPEAT_S)
        except ImageError as error:
            self._statistics.count_bad_image('bad image', str(error))
            self._notices.throttled('bad image', f'image on {self._topic} skipped: {error}')
        except Exception as error:  # of the model or the image: counted, so that diagnostics tell it
            text = f'{type(error).__name__}: {error}'
            self._statistics.count_failure('estimator failed', text)
            self._notices.throttled(
                'estimator',
                f'image not answered: {text}; if it goes on, report it with the image, or start the node with the parameter '
                'device: cpu (--ros-args -p device:=cpu)',
                level='error',
            )
        else:
            self._statistics.count_answer(answer)
            self._report_recovery(message.header)

    def empty_stale_list(self) -> None:
        """Empties REP-155's list when nothing has been answered for a while, for whatever reason: its faces may have left."""
        if self._statistics.unanswered_s >= self._parameters().silence_timeout_s:
            self._parts.outputs.nobody_tracked()

    def _answer(self, message: Any, depth_alone: bool) -> Answer:
        header, stages = message.header, StageClock()
        taken_s = self._now_s()
        frame = self._reader.read(message, depth_alone)
        self._watch_size(frame.size)
        stages.end('read')
        estimator, outputs = self._parts.estimator, self._parts.outputs
        mount = self._mount_of(header)
        poses = estimator.estimate(
            frame.image,
            camera=frame.camera,
            depth_m=frame.depth_m,
            stamp_s=self._usable_stamp(header),
            fixed_frame=None if mount is None else lambda: mount().camera,
        )
        stages.add(estimator.stages)
        self._report_finding(estimator.finding, len(poses))
        answer = self._choose(frame, poses, None if mount is None else mount())
        outputs.publish(answer, self._parameters().publish_tf)
        published_s = self._now_s()
        stages.end('publish')
        outputs.publish_annotated(answer)
        stages.end('draw')
        stamp_s = messages.stamp_s(header)
        return Answer(
            faces=len(poses),
            faces_in_region=sum(in_region(pose, self._parameters().seat_region, frame.size) for pose in poses),
            processing_ms=sum(stages.wall_ms.values()),
            age_ms=age_ms(taken_s - stamp_s),
            latency_ms=age_ms(published_s - stamp_s),
            stage_ms=stages.wall_ms,
            stage_cpu_ms=stages.cpu_ms,
        )

    def _mount_of(self, header: Any) -> Callable[[], Mount] | None:
        """Looks the mount up when it is first needed, so that TF has the time of the estimate to arrive; None without target_frame."""
        source = self._parts.mount
        return None if source is None else functools.cache(functools.partial(self._look_up, source, header))

    def _look_up(self, source: FixedMount | TfMount, header: Any) -> Mount:
        began_s = time.monotonic()
        try:
            return source.mount(header, self._parameters().target_frame_wait_s)
        finally:
            self.tf_wait_s = time.monotonic() - began_s

    def _choose(self, frame: Frame, poses: list[HeadPose], mount: Mount | None) -> FramePoses:
        """The poses as they are published: the primary face chosen, the neutral removed."""
        parameters = self._parameters()
        primary = self._primary.choose(poses, parameters.primary_face, parameters.seat_region, frame.size)
        neutral, person = self._neutral.update(frame.header.frame_id, poses, primary, self._parts.estimator.follows)
        turned = {pose: neutral.of_pose(pose) if pose is person else pose for pose in poses}
        shown = None if primary is None else turned[primary]
        return FramePoses(frame, list(turned.values()), shown, mount, neutral.R_turned_cam, parameters.image_rotation)

    def _report_finding(self, finding: Finding, faces: int) -> None:
        """Logs once what was noticed while faces were searched for."""
        if faces >= finding.max_faces and not finding.faces_beyond_max:
            self._notices.once(
                'max_faces reached',
                f'{counted(faces, "face")}, as many as max_faces allows: any more are ignored; raise max_faces to follow them',
                'info',
            )
        for option, note in finding.notes().items():
            self._notices.once(option, note)

    def _usable_stamp(self, header: Any) -> float | None:
        """The stamp to track and smooth by, in seconds; None if the image has none, or one at which stamps stand still."""
        stamp_s = messages.stamp_s(header)
        if stamp_s == 0.0:
            self._report_stamps('zero stamp', 'images have no stamp (0)', 'set header.stamp in the camera driver')
            return None
        last_s, at_s = self._order.last_s, time.monotonic()
        order = self._order.take(stamp_s)
        if last_s is not None and order is Order.BACK:
            self._parts.estimator.reset()
            if self._parts.mount is not None and last_s - stamp_s > TF_REFUSES_S:
                self._parts.mount.forget()
            self._notices.once(
                'time jump',
                f'stamps went back by {last_s - stamp_s:.3f} s: tracking and smoothing restart; this is '
                'normal for a recording that restarts; otherwise look for two publishers of the image topic',
            )
        elif last_s is not None and (ahead_s := stamp_s - last_s - (at_s - self._last_stamp_at_s)) > FOREIGN_CLOCK_S:
            self._parts.estimator.reset()
            self._notices.once(
                'time jump ahead',
                f'stamps jumped forward by {ahead_s:.1f} s: tracking and smoothing restart; this is normal '
                "when the camera's clock is set; otherwise look for two publishers of the image topic",
            )
        self._last_stamp_at_s = at_s
        if order is Order.STILL:
            self._report_stamps(
                'still stamp',
                f'stamps stand still, now at {stamp_s:.3f} s',
                'set header.stamp in the camera driver to the time at which each image is taken, in more than whole seconds',
            )
            return None
        self.stamp_problem = ''
        return stamp_s

    def _report_stamps(self, key: str, fault: str, remedy: str) -> None:
        """Reports stamps that nothing can be tracked or smoothed by."""
        self.stamp_problem = f'{fault}: each image is answered by itself, without tracking or smoothing; {remedy}'
        self._notices.once(key, self.stamp_problem)

    def _watch_size(self, size: tuple[int, int]) -> None:
        """Reports when the resolution changes, where the estimator restarts tracking."""
        if self._size is not None and self._size != size:
            was, now = (f'{width}x{height}' for width, height in (self._size, size))
            self._notices.throttled(
                'size',
                f'the resolution changed from {was} to {now}: tracking and smoothing restart; '
                'if it continues to change, look for two publishers of the image topic',
                _REPEAT_S,
            )
        self._size = size

    def _report_recovery(self, header: Any) -> None:
        """Reports what is right again after an image was answered."""
        if time.monotonic() - self._no_transform_at_s > _STEADY_S and self._notices.forget('transform'):
            self._notices.say('the transform to target_frame is known now')
        self.frame_id, self.frame_problem = header.frame_id, ''
        if not header.frame_id:
            self._notices.once(
                'frame_id',
                'images have no frame_id: no TF is published, and RViz cannot place the heads; set header.frame_id in the camera driver',
            )
        elif is_body(header.frame_id):
            self._notices.once(
                'body frame',
                f"images are in {header.frame_id!r}, by its name a body's frame (x forward, z up), but poses and TF are in the axes of an "
                "optical one (x right, y down, z forward): unless that frame has these, set the driver's frame_id (Gazebo: "
                '<optical_frame_id>) to one such as camera_optical_frame, and publish it (docs/troubleshooting.md)',
            )
