"""A ROS graph for tests: the node under test beside a probe that publishes to it and keeps all that it answers."""

from __future__ import annotations

import gc
import time
from array import array
from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import rclpy
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import PoseWithCovarianceStamped, Vector3Stamped
from rcl_interfaces.msg import Log
from rclpy.executors import SingleThreadedExecutor
from rclpy.parameter import Parameter
from rclpy.qos import QoSDurabilityPolicy, QoSProfile, QoSReliabilityPolicy, qos_profile_sensor_data
from sensor_msgs.msg import CameraInfo, CompressedImage, Image
from std_msgs.msg import Header
from visualization_msgs.msg import MarkerArray

from c2f_head_pose.ros.node import HeadPoseNode

DEADLINE_S = 30.0
SENSOR = qos_profile_sensor_data
RELIABLE = QoSProfile(depth=100, reliability=QoSReliabilityPolicy.RELIABLE)
LATCHED = QoSProfile(depth=1000, reliability=QoSReliabilityPolicy.RELIABLE, durability=QoSDurabilityPolicy.TRANSIENT_LOCAL)


class Graph:
    """Nodes of one context, spun by the test's own thread while it waits."""

    def __enter__(self) -> Graph:
        self.context = rclpy.Context()
        self.context.init()
        self._executor = SingleThreadedExecutor(context=self.context)
        self._nodes, self._strangers = [], []
        self.probe = self.add(rclpy.create_node('probe', context=self.context))
        self.heard = defaultdict(list)
        self.hear(Log, '/rosout', LATCHED)
        return self

    def __exit__(self, *_) -> None:
        for node in reversed(self._nodes):
            node.destroy_node()
        self._executor.shutdown()
        for stranger, context in self._strangers:
            stranger.destroy_node()
            context.try_shutdown()
        # A lifecycle node's handle lives until it is collected; collected later, it would take the next node's log from /rosout.
        self._nodes.clear()
        self.__dict__.pop('node', None)
        del self._executor, node
        gc.collect()
        self.context.try_shutdown()

    def add(self, node):
        """Has a node spun, and destroyed at the end."""
        self._executor.add_node(node)
        self._nodes.append(node)
        return node

    def stranger(self):
        """A node as if of another process: with a context, so a DDS participant, of its own."""
        context = rclpy.Context()
        context.init()
        self._strangers.append((rclpy.create_node('stranger', context=context), context))
        return self._strangers[-1][0]

    def head_pose_node(self, namespace: str = '', remaps: dict[str, str] | None = None, **parameters) -> HeadPoseNode:
        """The node under test, brought up unless its parameters say otherwise."""
        overrides = [Parameter(name, value=value) for name, value in parameters.items()]
        rules = ['--ros-args', *(word for pair in (remaps or {}).items() for word in ('-r', ':='.join(pair)))] if remaps else None
        node = self.add(HeadPoseNode(context=self.context, namespace=namespace, parameter_overrides=overrides, cli_args=rules))
        node.bring_up()
        return node

    def hear(self, message_type, topic: str, qos=RELIABLE) -> list:
        """Keeps what is published on a topic, in the list returned."""
        self.probe.create_subscription(message_type, topic, self.heard[topic].append, qos)
        return self.heard[topic]

    def hear_results(self) -> SimpleNamespace:
        """Keeps everything the node says: poses, angles, markers (one for every answered image), diagnostics."""
        return SimpleNamespace(
            poses=self.hear(PoseWithCovarianceStamped, '/head_pose/head_pose'),
            angles=self.hear(Vector3Stamped, '/head_pose/head_angles'),
            markers=self.hear(MarkerArray, '/head_pose/markers'),
            diagnostics=self.hear(DiagnosticArray, '/diagnostics'),
        )

    def wait_until(self, condition, what: str, deadline_s: float = DEADLINE_S):
        """Spins until a condition gives something true, and returns that; fails naming what was waited for."""
        end = time.monotonic() + deadline_s
        while not (value := condition()):
            assert time.monotonic() < end, f'waited {deadline_s} s in vain for {what}; the log says {self.log}'
            self._executor.spin_once(timeout_sec=0.05)
        return value

    def spin_for(self, seconds: float) -> None:
        """Lets a stretch of time pass in which something must not happen."""
        end = time.monotonic() + seconds
        while (rest := end - time.monotonic()) > 0:
            self._executor.spin_once(timeout_sec=rest)

    @property
    def log(self) -> list[str]:
        """All that has been logged."""
        return [message.msg for message in self.heard['/rosout']]

    def wait_for_log(self, *words: str) -> str:
        """Waits for a log line that has all these words, and returns it."""
        return self.wait_until(
            lambda: next((line for line in self.log if all(word in line for word in words)), None), f'a log line with {words}'
        )

    def wait_for_state(self, words: str):
        """Waits for a diagnostic status whose message has these words, and returns it."""

        def found():
            newest = self.heard['/diagnostics'][-1].status[0] if self.heard['/diagnostics'] else None
            return newest if newest is not None and words in newest.message else None

        return self.wait_until(found, f'a diagnostic status {words!r}')

    def call(self, service_type, name: str, request):
        """Calls a service once it is there, and returns its answer."""
        client = self.probe.create_client(service_type, name)
        self.wait_until(client.service_is_ready, f'service {name}')
        future = client.call_async(request)
        self.wait_until(future.done, f'an answer of {name}')
        return future.result()

    def image_publisher(self, message_type=Image, topic: str = '/image', qos=SENSOR, matched: bool = True):
        """A publisher, once the node subscribes to it."""
        publisher = self.probe.create_publisher(message_type, topic, qos)
        if matched:
            self.wait_until(publisher.get_subscription_count, f'a subscription of {topic}')
        return publisher


def header(stamp_s: float = 1.0, frame_id: str = 'camera_optical') -> Header:
    """A header with this stamp, exact to the nanosecond for binary fractions."""
    return Header(stamp=Time(sec=int(stamp_s), nanosec=round(stamp_s % 1 * 1e9)), frame_id=frame_id)


def image_message(pixels: np.ndarray, stamp_s: float = 1.0, encoding: str = 'bgr8', **changed) -> Image:
    """An image message, with fields changed as told."""
    fields = {
        'height': pixels.shape[0],
        'width': pixels.shape[1],
        'encoding': encoding,
        'step': pixels.strides[0],
        'data': array('B', pixels.tobytes()),
    } | changed
    return Image(header=header(stamp_s), **fields)


def compressed_message(data: bytes, stamp_s: float = 1.0) -> CompressedImage:
    """A JPEG message."""
    return CompressedImage(header=header(stamp_s), format='jpeg', data=array('B', data))


def camera_info(width: int = 640, height: int = 480, focal: float = 500.0) -> CameraInfo:
    """A pinhole without distortion, principal point in the middle."""
    k = [focal, 0.0, width / 2, 0.0, focal, height / 2, 0.0, 0.0, 1.0]
    return CameraInfo(
        header=header(),
        width=width,
        height=height,
        distortion_model='plumb_bob',
        d=[0.0] * 5,
        k=k,
        p=[*k[:3], 0.0, *k[3:6], 0.0, *k[6:], 0.0],
    )


def noise(height: int = 480, width: int = 640) -> np.ndarray:
    """A colour image in which nobody is."""
    return np.random.default_rng(7).integers(0, 256, (height, width, 3), np.uint8)
