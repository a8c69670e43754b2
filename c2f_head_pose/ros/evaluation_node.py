"""Runs the node `evaluation`, which listens to a head_pose node while a bag is replayed, and writes evaluate_bag's report.

    ros2 launch c2f_head_pose evaluate.launch.py bag:=PATH output:=DIR
    evaluation_node BAG --output DIR [evaluate_bag's options] [--ros-args -r poses:=/head_pose/head_poses ...]

It keeps each pose by its image's stamp until the replay has ended, then goes through the bag as evaluate_bag does, with the live
answers in place of the estimator's. The replay must keep the recorded stamps.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

from geometry_msgs.msg import PoseWithCovarianceStamped
from rclpy.node import Node
from rclpy.qos import QoSProfile
from rclpy.utilities import remove_ros_args
from sensor_msgs.msg import CameraInfo

from ..evaluation import command_line, results
from ..evaluation.environment import environment
from ..evaluation.evaluate import CUT_SHORT, Options, evaluate_recording
from ..evaluation.sources import check_frame, check_stamps, poses_from_message
from ..evaluation.verdict import NOTHING, Done, conclude
from ..files import stamp_ns
from ..interruption import INTERRUPTED, sigterm_interrupts
from ..recordings.locate import locate
from ..recordings.reader import Frame, folder_name
from ..types import HeadPose
from . import process as running

try:
    from vision_msgs.msg import Detection3DArray
except ImportError:
    Detection3DArray = None

_QUEUE = 1000
_QUIET_S = 2.0
_START_TIMEOUT_S = 120.0
"""A replay may have to unpack its recording before it publishes anything."""


class LiveAnswers:
    """Poses by their image's stamp, with the time from the image's arrival (its camera_info's) to theirs.

    Attributes:
        tell_nobody: see evaluation.sources.Answers; True once a result with every face has come.
    """

    def __init__(self) -> None:
        self.tell_nobody = False
        self._last_ns: int | None = None
        self._poses: dict[int, tuple[str, list[HeadPose]]] = {}
        self._arrival_s: dict[int, float] = {}
        self._image_arrival_s: dict[int, float] = {}

    def __len__(self) -> int:
        return len(self._poses)

    def add_image(self, stamp_ns: int, now_s: float) -> None:
        """Counts an image that was sent."""
        self._image_arrival_s[stamp_ns] = now_s

    def add(self, stamp_ns: int, frame_id: str, poses: list[HeadPose], now_s: float, complete: bool) -> None:
        """Adds a result; one with every face replaces one with the primary face only."""
        self.tell_nobody |= complete
        if complete or stamp_ns not in self._poses:
            self._poses[stamp_ns] = frame_id, poses
        self._arrival_s.setdefault(stamp_ns, now_s)

    def interrupt(self) -> None:
        """Ends the answers with the newest image that was sent or answered, because the replay was interrupted."""
        self._last_ns = max([*self._poses, *self._image_arrival_s], default=0)

    @property
    def interrupted(self) -> bool:
        """Whether the replay was interrupted."""
        return self._last_ns is not None

    def of(self, frame: Frame) -> tuple[list[HeadPose], float] | None:
        """See evaluation.sources.Answers.

        Raises:
            KeyboardInterrupt: for an image that an interrupted replay has not reached.
        """
        if self._last_ns is not None and frame.stamp_ns > self._last_ns:
            raise KeyboardInterrupt
        if self._poses:
            check_stamps(any(self._poses), 'the live topic')
        if frame.stamp_ns not in self._poses:
            return None
        frame_id, poses = self._poses[frame.stamp_ns]
        check_frame(frame_id, frame, 'the live topic')
        sent_s = self._image_arrival_s.get(frame.stamp_ns, float('nan'))
        return poses, 1e3 * (self._arrival_s[frame.stamp_ns] - sent_s)


class EvaluationNode(Node):
    """Collects what the node under evaluation publishes, until the replay is over.

    Attributes:
        answers: what has come.
        exit_status: the process's exit status.
        ended: whether `finished` has been true, so that the user did not end the node.

    Topics: `pose` (PoseWithCovarianceStamped), `poses` (Detection3DArray, where vision_msgs is installed), `camera_info`; of `image` only
    the publishers are watched.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__('evaluation', **kwargs)
        self.answers = LiveAnswers()
        self.exit_status = 0
        self.ended = False
        self._heard_s = time.monotonic()
        self._seen: set[str] = set()
        qos = QoSProfile(depth=_QUEUE)
        self.create_subscription(PoseWithCovarianceStamped, 'pose', self._on_pose, qos)
        if Detection3DArray is not None:
            self.create_subscription(Detection3DArray, 'poses', self._on_poses, qos)
        else:
            self.get_logger().warning(
                'vision_msgs is not installed: only the primary face of each image is evaluated, and an image without an answer '
                'counts as one in which nobody was found; apt install ros-$ROS_DISTRO-vision-msgs'
            )
        self.create_subscription(CameraInfo, 'camera_info', self._on_info, qos)
        self._replayed = [self.resolve_topic_name(name) for name in ('image', 'camera_info')]
        self.get_logger().info(
            f'listening to {self.resolve_topic_name("pose")} and {self.resolve_topic_name("poses")} until the replay of '
            f'{" and ".join(self._replayed)} is over, or has not begun for {_START_TIMEOUT_S:.0f} s'
        )

    @property
    def finished(self) -> bool:
        """Whether the replay has been there, has gone, and nothing more comes; or whether it has not begun in time."""
        present = {topic for topic in self._replayed if self.count_publishers(topic)}
        self._seen |= present
        silent_s = time.monotonic() - self._heard_s
        self.ended = present != self._seen and silent_s > _QUIET_S if self._seen else silent_s > _START_TIMEOUT_S
        return self.ended

    def _on_info(self, message: CameraInfo) -> None:
        self._heard_s = time.monotonic()
        self.answers.add_image(stamp_ns(message), self._heard_s)

    def _on_pose(self, message: PoseWithCovarianceStamped) -> None:
        self._hear(message, 'geometry_msgs/msg/PoseWithCovarianceStamped', complete=False)

    def _on_poses(self, message: Any) -> None:
        self._hear(message, 'vision_msgs/msg/Detection3DArray', complete=True)

    def _hear(self, message: Any, kind: str, complete: bool) -> None:
        self._heard_s = time.monotonic()
        self.answers.add(stamp_ns(message), message.header.frame_id, poses_from_message(message, kind), self._heard_s, complete)


def evaluate_live(
    path: Path,
    output: Path,
    options: Options,
    answers: LiveAnswers,
    command: list[str],
    baseline: dict[str, Any] | None,
    fail_if: list[str],
) -> int:
    """Writes evaluate_bag's results of live answers; returns its exit code."""
    output.mkdir(parents=True, exist_ok=True)
    with sigterm_interrupts():
        evaluated = evaluate_recording(path, folder_name(path), output, options, None, answers=answers)
    if answers.interrupted and not evaluated.interrupted:  # after the last image
        evaluated.interrupted = True
        evaluated.errors.append(CUT_SHORT)
    entry = results.keep_results(output, evaluated)
    for line in (*entry['notes'], *entry['errors']):
        print(line, file=sys.stderr)
    facts = environment(None, 'live node', None, options.threads)
    done = Done(entry, evaluated.scored, evaluated.worst, facts, output, evaluated.interrupted)
    return conclude([done], output, command, baseline, fail_if)


def main(args: list[str] | None = None) -> int:
    """Listens until the replay is over, evaluates, and returns evaluate_bag's exit code."""
    arguments = remove_ros_args(sys.argv if args is None else args)[1:]
    chosen, options = command_line.parse(arguments, 'evaluation_node', __doc__)
    if len(chosen.bag) != 1:
        print('error: name the one bag that is replayed', file=sys.stderr)
        return 2
    try:
        locate(chosen.bag[0])
        baseline = command_line.prepare(chosen, live=True)
    except (ValueError, OSError) as error:
        print(f'error: {error}', file=sys.stderr)
        return 2
    nodes: list[EvaluationNode] = []
    status = running.run(EvaluationNode, nodes.append, args, lambda node: node.finished)
    if status or not nodes:
        return status or 2
    answers = nodes[0].answers
    if not nodes[0].ended:
        answers.interrupt()
    if not len(answers):
        if answers.interrupted:
            print('interrupted before any pose came: nothing is written', file=sys.stderr)
            return INTERRUPTED
        print(
            'error: no pose came; did the replay and head_pose begin, and are image, camera_info, pose and poses remapped to their topics?',
            file=sys.stderr,
        )
        return 2
    command = ['evaluation_node', *arguments]
    try:
        return evaluate_live(chosen.bag[0], chosen.output, options, answers, command, baseline, chosen.fail_if)
    except KeyboardInterrupt:
        return INTERRUPTED
    except OSError as error:
        print(f'error: {error}', file=sys.stderr)
        return NOTHING


if __name__ == '__main__':
    sys.exit(main())
