"""The node's subscriptions, in the QoS of whoever publishes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from rclpy.qos import QoSPolicyKind, QoSProfile
from rclpy.qos_overriding_options import QoSOverridingOptions
from rclpy.subscription import Subscription
from sensor_msgs.msg import CompressedImage, Image

from .gaps import SequenceGaps
from .overrides import value_given
from .qos import matching, newest_only

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

_OVERRIDABLE = (QoSPolicyKind.HISTORY, QoSPolicyKind.DEPTH, QoSPolicyKind.RELIABILITY, QoSPolicyKind.DURABILITY)
_KNOWS_NUMBERS = hasattr(Subscription, 'CallbackType')  # not in Humble: its callbacks get no message info


COMPRESSED = {False: 'compressed', True: 'compressedDepth'}
"""The transport of compressed images, and of compressed depth."""


@dataclass(frozen=True)
class Source:
    """A topic of images or depth images that the node needs, and how the user chooses it.

    Attributes:
        message_type: the ROS message class.
        topic: resolved.
        remap: the name that the user remaps, 'image' or 'depth/image'.
        transport_parameter: the parameter that chooses the transport.
        transport: its value.
        is_depth: depth images.
        beside_images: depth images that belong to colour images.
    """

    message_type: Any
    topic: str
    remap: str
    transport_parameter: str
    transport: str
    is_depth: bool = False
    beside_images: bool = False

    @property
    def info_remap(self) -> str:
        """The name by which the user remaps the images' calibration."""
        return 'depth/camera_info' if self.is_depth else 'camera_info'

    @property
    def type_name(self) -> str:
        """The message type as the graph names it, such as sensor_msgs/msg/Image."""
        return type_name(self.message_type)


def type_name(message_type: Any) -> str:
    """Returns a message type as the graph names it, such as sensor_msgs/msg/Image."""
    return f'{message_type.__module__.split(".")[0]}/msg/{message_type.__name__}'


@dataclass
class Input:
    """One topic that the node listens to.

    Attributes:
        topic: resolved.
        message_type: the ROS message class.
        callback: called with each message.
        qos: the subscription's QoS.
        overridden: the user has fixed the QoS by qos_overrides parameters.
        subscription: the rclpy subscription; None until subscribed.
        lost: messages that the publisher sent and that never arrived, as far as that is known.
    """

    topic: str
    message_type: Any
    callback: Callable[[Any], None]
    qos: QoSProfile
    overridden: bool = False
    subscription: Any = None
    lost: int = 0
    gaps: SequenceGaps = field(default_factory=SequenceGaps)

    def receive(self, message: Any) -> None:
        """Passes a message on."""
        self.callback(message)

    def receive_numbered(self, message: Any, info: dict[str, Any]) -> None:
        """Passes a message on that comes with its number."""
        self.gaps.take(info)
        self.callback(message)


class Inputs:
    """Subscribes with the QoS of the publishers, and subscribes again when that changes.

    Until a publisher is known, subscriptions are best effort and volatile, which matches every publisher. But only a transient-local
    subscription receives a latched calibration, and only a reliable one receives all messages of a reliable publisher over a bad network.
    A topic with qos_overrides keeps the user's QoS.
    """

    def __init__(self, node: Any, incompatible: Callable[[Input], None]) -> None:
        """Subscribes to nothing yet.

        Args:
            node: the rclpy node.
            incompatible: called when a publisher's QoS does not match what the user has fixed.
        """
        self._node = node
        self._incompatible = incompatible
        self._inputs: list[Input] = []

    def add(self, message_type: Any, topic: str, callback: Callable[[Any], None]) -> Input:
        """Subscribes to a resolved topic."""
        overridden = self._overridden(topic)
        qos = newest_only() if overridden else matching(self._publishers(topic), newest_only())
        added = Input(topic, message_type, callback, qos, overridden)
        self._subscribe(added)
        self._inputs.append(added)
        return added

    def match_publishers(self) -> None:
        """Subscribes again to topics whose publishers' QoS has changed."""
        for known in self._inputs:
            publishers = self._publishers(known.topic)
            known.lost += known.gaps.settle(len(publishers))
            qos = known.qos if known.overridden else matching(publishers, known.qos)
            if (qos.reliability, qos.durability) != (known.qos.reliability, known.qos.durability):
                self._node.destroy_subscription(known.subscription)
                known.qos = qos
                self._subscribe(known)

    def clear(self) -> None:
        """Destroys all subscriptions and drops callback references.

        Otherwise a reference cycle of inputs and callbacks keeps the models alive until Python's collector runs, which is seldom for the
        old objects of a large program.
        """
        for known in self._inputs:
            if known.subscription is not None:
                self._node.destroy_subscription(known.subscription)
            known.subscription, known.callback = None, _nobody
        self._inputs, self._incompatible = [], _nobody

    def _publishers(self, topic: str) -> list[Any]:
        return self._node.get_publishers_info_by_topic(topic)

    def _overridden(self, topic: str) -> bool:
        return any(value_given(self._node, f'qos_overrides.{topic}.subscription.{kind.name.lower()}') is not None for kind in _OVERRIDABLE)

    def _subscribe(self, one: Input) -> None:
        # Declared only where the user gave them: once declared they hold for every later subscription of the topic.
        overriding = QoSOverridingOptions(_OVERRIDABLE) if one.overridden else None
        events = SubscriptionEventCallbacks(incompatible_qos=partial(self._on_incompatible, one))
        one.gaps = SequenceGaps()
        one.subscription = self._node.create_subscription(
            one.message_type,
            one.topic,
            one.receive_numbered if _KNOWS_NUMBERS else one.receive,
            one.qos,
            event_callbacks=events,
            qos_overriding_options=overriding,
        )

    def _on_incompatible(self, one: Input, _: Any) -> None:
        if one.overridden:  # else match_publishers meets the publisher half-way in a moment
            self._incompatible(one)


def _nobody(_: Any) -> None:
    """Takes what comes after the end."""


def image_source(node: Any, transport: str) -> Source:
    """Returns the topic of the images; transport is 'raw' or 'compressed'."""
    return _source(node, 'image', 'image_transport', transport)


def depth_source(node: Any, transport: str, beside_images: bool) -> Source:
    """Returns the topic of the depth images; transport is 'raw' or 'compressedDepth'."""
    return _source(node, 'depth/image', 'depth_transport', transport, is_depth=True, beside_images=beside_images)


def depth_info_topic(node: Any, depth: Source) -> str:
    """The topic of the depth images' calibration: depth/camera_info where it is remapped, else camera_info beside the depth images.

    Source: image_transport's getCameraInfoTopic, which camera drivers follow.
    """
    chosen: str = node.resolve_topic_name('depth/camera_info')
    if chosen != node.resolve_topic_name('depth/camera_info', only_expand=True):
        return chosen
    base = depth.topic.removesuffix(f'/{depth.transport}')
    return f'{base.rsplit("/", 1)[0]}/camera_info'


def _source(node: Any, remap: str, parameter: str, transport: str, is_depth: bool = False, beside_images: bool = False) -> Source:
    topic = node.resolve_topic_name(remap)
    if transport == 'raw':
        return Source(Image, topic, remap, parameter, transport, is_depth, beside_images)
    topic = node.resolve_topic_name(f'{topic}/{transport}')  # which may be remapped too
    return Source(CompressedImage, topic, remap, parameter, transport, is_depth, beside_images)
