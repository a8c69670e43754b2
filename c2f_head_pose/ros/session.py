"""Runs the node between activation and deactivation: subscribes, has each newest image processed, and explains missing input."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import CameraInfo

from ..counting import counted
from ..depth_alignment import DepthAlignment
from ..parameters import Parameters
from ..topic_names import depth_topics, is_aligned
from ..transforms import frames_differ
from .calibration import UNCORRECTED, Calibration
from .components import Parts
from .depth_input import DepthInput
from .diagnostics import FACES, FACES_IN_REGION, State
from .frame_reader import FrameReader
from .frame_worker import FrameWorker, Monitoring
from .frames import TfLookup, TfMount
from .inputs import Input, Inputs, Source, depth_info_topic, depth_source, image_source
from .log import Notices
from .mailbox import NewestWorker
from .neutral_services import NeutralServices
from .statistics import LOST, OVERTAKEN, Statistics
from .surroundings import Surroundings
from .watchdog import explain_mismatch, explain_silence, published_topics

_REPEAT_S = 30.0
_FEWEST_LOST, _SHARE_LOST = 10, 0.05
_WHY_LOST = (
    'the network connection loses them or was down for a while, this machine is too busy to take each (free a core for the node), or '
    "Fast DDS has less shared memory than an image takes, which is the sender's: start the camera driver with config/fastdds.xml too"
)
_LATE_S = 0.03
"""An image that waited for TF or depth for longer may have made others wait; tf2 looks every 20 ms, and depth is waited for 20 ms."""
_LEAST_STUCK_S = 1.0
_WAKE_UP = object()


class SessionError(RuntimeError):
    """The middleware refused a subscription; the text gives the topic and the reason."""


class Session:
    """One worker thread answers images; the executor's thread only hands it the newest.

    Attributes:
        statistics: statistics of the images since the session began.
        calibration: the camera's calibration.
        depth: beside the images; None without.
        images_in: the subscription that is answered.
        silence: why no image comes; empty while they come.
    """

    def __init__(
        self, node: LifecycleNode, parts: Parts, neutral: NeutralServices, notices: Notices, parameters: Callable[[], Parameters]
    ) -> None:
        """Subscribes.

        Args:
            node: the lifecycle node.
            parts: the configured parts.
            neutral: the orientation that counts as straight.
            notices: the log.
            parameters: gives the set in force.

        Raises:
            SessionError: when the middleware refuses, as for another type on the same topic.
        """
        self.statistics = Statistics()
        self.depth: DepthInput | None = None
        self.silence = ''
        self._node = node
        self._parts = parts
        self._notices = notices
        self._parameters = parameters
        self._surroundings = Surroundings(node, notices)
        self._inputs = Inputs(node, self._on_incompatible)
        self._idle = False
        self._image_frame = ''
        self._tf: TfLookup | None = None
        self._tf_missing = False
        self._since_s = self._seated_s = time.monotonic()
        notices.forget_all()
        neutral.start()
        parts.estimator.reset()
        self._source = self._main_source()
        topic = self._source.topic
        images_info_topic = node.resolve_topic_name('camera_info')
        info_topic = depth_info_topic(node, self._source) if self._source.is_depth else images_info_topic
        self.calibration = Calibration(notices, topic, info_topic, self._source.info_remap)
        if parameters().modality == 'rgbd':
            depth = depth_source(node, parameters().depth_transport, beside_images=True)
            self._depth_infos_topic = depth_info_topic(node, depth)
            self.depth = DepthInput(notices, DepthAlignment(depth.topic, self._depth_infos_topic), depth.topic)
        worker = FrameWorker(
            parts,
            FrameReader(self.calibration, self.depth, parameters),
            neutral,
            Monitoring(self.statistics, notices, topic),
            parameters,
            lambda: node.get_clock().now().nanoseconds * 1e-9,
        )
        self._worker: NewestWorker[Any] = NewestWorker(  # nothing of self: see Inputs.clear
            lambda work: worker.empty_stale_list() if work is _WAKE_UP else worker.answer(*work),
            'head_pose',
            lambda error: notices.throttled('worker', f'{type(error).__name__}: {error}; report it', level='error'),
        )
        self._frame_worker = worker
        try:
            self.images_in = self._inputs.add(self._source.message_type, topic, self._on_image)
            self._infos_in = self._inputs.add(CameraInfo, info_topic, self.calibration.update)
            if images_info_topic != info_topic:
                self._inputs.add(CameraInfo, images_info_topic, self.calibration.borrow)
            if self.depth is not None:
                self._inputs.add(depth.message_type, depth.topic, self._on_depth)
                self._inputs.add(CameraInfo, self._depth_infos_topic, self.depth.alignment.update)
        except Exception as error:
            self.close()
            raise SessionError(
                f'cannot subscribe to {topic} and {info_topic}: {type(error).__name__}: {error}; do other nodes use the topic with another '
                f'type? (ros2 topic info -v {topic})'
            ) from None

    def close(self, limit_s: float | None = None) -> None:
        """Unsubscribes, waits for the image in progress, and clears what was published.

        Args:
            limit_s: longest time to wait, seconds; only where the process ends or the node was shut down,
                since an image that comes out later would be published.
        """
        self._inputs.clear()
        if not self._worker.close(limit_s):
            self._notices.say('the model is still working on an image: not waited for', 'warning')
        if self._tf is not None:
            self._tf.destroy()
        self._parts.outputs.clear()

    @property
    def frame_id(self) -> str:
        """Of the last image answered."""
        return self._frame_worker.frame_id

    def watch(self) -> None:
        """Looks whether everything comes; to be called a few times a second."""
        self._inputs.match_publishers()
        self._watch_silence()
        self._watch_answers()
        self._watch_losses()
        self._watch_region()
        self._watch_surroundings()
        self._surroundings.watch(self.statistics.images, self._parameters().silence_timeout_s)

    def state(self) -> tuple[State, str]:
        """Returns the node's state and the reason for it."""
        statistics = self.statistics
        if self.silence and self._depth_answers and 0 < statistics.unanswered_s < self._parameters().silence_timeout_s:
            return State.DEGRADED, f'heads are found in depth alone: {self.silence}'
        if self.silence:
            return (State.SILENT if statistics.images else State.NO_IMAGE), self.silence
        if stuck := self._stuck:
            return State.MODEL_FAILED, stuck
        if statistics.model_failing:
            return State.MODEL_FAILED, statistics.last_failure
        if statistics.images_bad:
            return State.BAD_IMAGES, statistics.last_failure
        if self._idle:
            return State.IDLE, ''
        if self._frame_worker.frame_problem:
            return State.NO_TRANSFORM, self._frame_worker.frame_problem
        answer = statistics.last_answer
        if answer is None:
            return State.NO_IMAGE, ''
        if self.depth is not None and self.depth.degraded:
            return State.DEGRADED, self.depth.status
        if self._frame_worker.stamp_problem:
            return State.DEGRADED, self._frame_worker.stamp_problem
        overtaken, lost = statistics.missed
        if overtaken + lost > 0.5 and lost > overtaken:
            return State.DEGRADED, f'{100 * lost:.0f} % of the images were sent and never came: {_WHY_LOST}'
        if overtaken + lost > 0.5:
            cause = 'the machine is too slow or too busy; free a core for the node, or lower their rate or size'
            if (wait_s := self._frame_worker.tf_wait_s) > _LATE_S:
                cause = f"the last one answered waited {1000 * wait_s:.0f} ms for TF; have the camera's transform published sooner"
            elif self.depth is not None and (wait_s := self.depth.wait_s) > _LATE_S:
                cause = f'the last one waited {1000 * wait_s:.0f} ms for depth (depth_wait_s); let the camera deliver it sooner'
            return State.DEGRADED, f'{100 * overtaken:.0f} % of the images are overtaken by newer ones before their turn: {cause}'
        finding = self._parts.estimator.finding
        if finding.image_rotation is not None:
            return State.DEGRADED, finding.notes()['image_rotation']
        return (State.OK if answer.faces else State.NO_FACE), self._why_no_primary

    def values(self) -> dict[str, str]:
        """Figures for diagnostics."""
        depth = {} if self.depth is None else {'depth': self.depth.status}
        if self.depth is not None and self.depth.share is not None:
            depth['images with depth (%)'] = f'{100 * self.depth.share:.0f}'
        finding = self._parts.estimator.finding
        found = {
            'faces beyond max_faces': str(finding.faces_beyond_max),
            'image_rotation': 'as set' if finding.image_rotation is None else f'seems to be {finding.image_rotation}',
        }
        figures = self.statistics.values()
        if self._why_no_primary:
            figures[FACES_IN_REGION] = '0'
        if self.statistics.unanswered_s >= self._parameters().silence_timeout_s:
            for key in (FACES, FACES_IN_REGION):  # for programs, which would take it for the present number
                figures.pop(key, None)
        return {'camera': self.calibration.status} | depth | found | figures

    @property
    def _why_no_primary(self) -> str:
        """Why faces are found and `~/head_pose` is silent; empty where it is not, or where no face is found."""
        answer = self.statistics.last_answer
        if answer is None or answer.faces_in_region or not answer.faces:
            return ''
        region = ', '.join(f'{edge:g}' for edge in self._parameters().seat_region)
        return (
            f'{counted(answer.faces, "face")} in view, none in seat_region [{region}], so there is no ~/head_pose and no ~/head_angles; '
            'widen seat_region, or turn the camera to the seat'
        )

    # What comes in.

    def _main_source(self) -> Source:
        """What is answered: images, or depth alone."""
        parameters = self._parameters()
        if parameters.modality == 'depth':
            return depth_source(self._node, parameters.depth_transport, beside_images=False)
        return image_source(self._node, parameters.image_transport)

    @property
    def _depth_answers(self) -> bool:
        """Whether depth beside the images can be answered by itself."""
        return self.depth is not None and self._parts.estimator.reads_depth

    def _on_image(self, message: Any) -> None:
        self.statistics.count_image()
        self._image_frame = message.header.frame_id
        if self.silence:
            self._notices.forget('silence')
            self._notices.say(f'images arrive on {self.images_in.topic}')
            self.silence = ''
        self._hand_over(message, depth_alone=self._parameters().modality == 'depth')

    def _on_depth(self, message: Any) -> None:
        """Depth beside the images; answered by itself while images have stopped."""
        assert self.depth is not None
        self._read_tf(self.depth.alignment, message.header.frame_id)
        self.depth.put(message)
        if self.silence and self._depth_answers:
            self._hand_over(message, depth_alone=True)

    def _read_tf(self, alignment: DepthAlignment, depth_frame: str) -> None:
        """Begins to read TF once depth comes in another frame than the images."""
        if alignment.tf is not None or self._tf_missing or not frames_differ(depth_frame, self._image_frame):
            return
        if isinstance(self._parts.mount, TfMount):
            alignment.tf = self._parts.mount.tf
            return
        try:
            alignment.tf = self._tf = TfLookup(self._node)
        except ImportError:
            self._tf_missing = True
            alignment.no_tf = 'tf2_ros is not installed: install ros-$ROS_DISTRO-tf2-ros-py'

    def _hand_over(self, message: Any, depth_alone: bool) -> None:
        """Puts a message into the worker's mailbox, unless nobody reads the results; counts the image that it replaces there."""
        self._idle = self._parameters().lazy and not self._read_by_somebody()
        if not self._idle and self._worker.put((message, depth_alone)) not in (None, _WAKE_UP):
            self.statistics.count_drop(OVERTAKEN)

    def _read_by_somebody(self) -> bool:
        outputs, own = self._parts.outputs, isinstance(self._parts.mount, TfMount) + (self._tf is not None)
        return outputs.listeners > 0 or (self._parameters().publish_tf and outputs.tf_listeners > own)

    # What does not.

    def _on_incompatible(self, one: Input) -> None:
        if reason := explain_mismatch(self._node, one.topic, one.qos):
            self._notices.throttled(f'qos {one.topic}', reason, _REPEAT_S)

    def _watch_silence(self) -> None:
        """Says why no image comes once none has come for a while."""
        last_s, images = self.statistics.last_image_s, self.images_in
        silent_s = time.monotonic() - max(last_s or 0.0, self._since_s)
        if silent_s < self._parameters().silence_timeout_s:
            return
        reason = explain_silence(self._node, self._source, images.qos, last_s is not None)
        if reason != self.silence:
            self.silence = reason
            self._notices.forget('silence')
        self._notices.throttled('silence', f'no image for {silent_s:.1f} s: {reason}', _REPEAT_S)

    @property
    def _stuck(self) -> str:
        """Why no image is answered although they come; empty unless one has been worked on for long."""
        busy_s = self._worker.busy_s
        parameters = self._parameters()
        waits_s = parameters.depth_wait_s * (self.depth is not None)
        waits_s += parameters.target_frame_wait_s * isinstance(self._parts.mount, TfMount)
        if busy_s < max(parameters.silence_timeout_s, _LEAST_STUCK_S) + waits_s:
            return ''
        return (
            f'one image has been in the network for {busy_s:.0f} s: it hangs, or is much too slow on this machine; look at the '
            'load and the GPU (nvidia-smi, dmesg), start the node again, or with the parameter device: cpu (--ros-args -p device:=cpu)'
        )

    def _watch_answers(self) -> None:
        """Reports an image that does not come out; wakes the worker where no image does once nothing has been answered for a while."""
        if stuck := self._stuck:
            self._notices.throttled('stuck', stuck, _REPEAT_S, 'error')
        if self.statistics.unanswered_s >= self._parameters().silence_timeout_s:
            self._worker.offer(_WAKE_UP)

    def _watch_losses(self) -> None:
        """Counts images that were sent and never arrived, and logs it if there are many."""
        lost, self.images_in.lost = self.images_in.lost, 0
        if not lost:
            return
        self.statistics.count_drop(LOST, lost)
        total = self.statistics.dropped[LOST]
        if total >= _FEWEST_LOST and total > _SHARE_LOST * (self.statistics.images + total):
            self._notices.once('lost', f'{total} images on {self.images_in.topic} were sent and never came: {_WHY_LOST}')

    def _watch_region(self) -> None:
        """Logs once that faces are found, and for a while none in seat_region."""
        now_s = time.monotonic()
        if not (reason := self._why_no_primary) or self.statistics.unanswered_s >= self._parameters().silence_timeout_s:
            self._seated_s = now_s
        elif now_s - self._seated_s >= self._parameters().silence_timeout_s:
            self._notices.once('seat_region', reason)

    def _watch_surroundings(self) -> None:
        """Says what is missing around a node that does get images."""
        if not self.statistics.images or time.monotonic() - self._since_s < self._parameters().silence_timeout_s:
            return
        if not self.calibration.received:
            lacking = 'heads are found in depth by their size in metres, which needs it' if self._source.is_depth else UNCORRECTED
            self._notices.once(
                'no camera_info',
                f'no camera_info on {self._infos_in.topic}: {lacking}; publish it, or remap {self._source.info_remap}:=TOPIC',
            )
        if self.depth is not None and self.depth.unregistered:
            self._advise_aligned_depth()
        topics = self._parts.outputs.topics
        if self._parts.outputs.listeners == 0:
            self._notices.once('nobody', f'nobody subscribes to {", ".join(topics)}; try: ros2 topic echo {topics[0]}', 'info')
        elif self._notices.forget('nobody'):
            self._notices.say('somebody subscribes to the results now')

    def _advise_aligned_depth(self) -> None:
        """Names a topic of depth that a driver aligns to the images, where one is published beside the one subscribed."""
        published = depth_topics(published_topics(self._node, 'sensor_msgs/msg/Image'), aligned_first=True)
        if published and is_aligned(published[0]):
            self._notices.once('aligned depth', f'{published[0]} is depth aligned to the images: remap depth/image:={published[0]}')
