"""Finds out why no image comes, from what the ROS graph shows."""

from __future__ import annotations

from typing import Any

from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible

from ..topic_names import colour_topics, depth_topics
from .inputs import COMPRESSED, Source

_RAW = 'sensor_msgs/msg/Image'
_PACKED = 'sensor_msgs/msg/CompressedImage'
_SHOWN = 5


def explain_silence(node: Any, source: Source, qos: QoSProfile, received_before: bool) -> str:
    """Returns the most probable reason for missing input with its remedy, in a sentence or two.

    Args:
        node: the rclpy node that subscribes.
        source: the topic and message type that it subscribes to.
        qos: the profile subscribed with.
        received_before: whether something had arrived earlier.
    """
    topic = source.topic
    publishers = node.get_publishers_info_by_topic(topic)
    if not publishers:
        if received_before:
            return f'the publisher of {topic} has gone; start the camera driver or the replay again'
        return f'nobody publishes {topic}; {_where_to_look(node, source)}'
    if wrong := foreign_type(node, topic, source.type_name):
        remedy = _choose(source, topic, wrong) if wrong in (_RAW, _PACKED) else _where_to_look(node, source)
        return f'{topic} is published as {wrong}, not {source.type_name}; {remedy}'
    compatible = [one for one in publishers if qos_check_compatible(one.qos_profile, qos)[0] != QoSCompatibility.ERROR]
    if not compatible:
        return explain_mismatch(node, topic, qos)
    owner = owner_of(compatible[0])
    if received_before:
        return f'{owner} still has {topic} open but sends nothing more; look at the camera, or whether the replay is paused or over'
    return (
        f'{owner} publishes {topic} but nothing arrives; check whether it sends (ros2 topic hz {topic}), and on Fast DDS '
        'whether its shared memory is larger than an image (config/fastdds.xml)'
    )


def foreign_type(node: Any, topic: str, type_name: str) -> str:
    """Returns the type as which a topic is published where nobody publishes it as the one that is read; empty where somebody does."""
    types = [publisher.topic_type for publisher in node.get_publishers_info_by_topic(topic)]
    return types[0] if types and type_name not in types else ''


def explain_mismatch(node: Any, topic: str, qos: QoSProfile) -> str:
    """Returns the publisher whose QoS offers less than a subscription asks for, with the remedy; empty if there is none."""
    for publisher in node.get_publishers_info_by_topic(topic):
        compatibility, reason = qos_check_compatible(publisher.qos_profile, qos)
        if compatibility == QoSCompatibility.ERROR:
            return (
                f'{owner_of(publisher)} publishes {topic} with incompatible QoS ({reason.strip().rstrip(";")}); '
                f'remove the override qos_overrides.{topic}.subscription.*, or change the publisher'
            )
    return ''


def published_topics(node: Any, type_name: str) -> list[str]:
    """Returns the topics of a type that other nodes publish."""
    own = node.get_fully_qualified_name()
    return sorted(
        name
        for name, types in node.get_topic_names_and_types()
        if type_name in types and any(owner_of(publisher) != own for publisher in node.get_publishers_info_by_topic(name))
    )


def owner_of(publisher: Any) -> str:
    """Returns the name of a publisher's node; a program without a node has none, and discovery brings others' late."""
    if '_UNKNOWN_' in publisher.node_name:
        return 'an unnamed node'
    return f'{publisher.node_namespace.rstrip("/")}/{publisher.node_name}'


def _where_to_look(node: Any, source: Source) -> str:
    """The remedy where nobody publishes what is subscribed: the topic that fits best, else what to start."""
    for type_name in sorted((_RAW, _PACKED), key=lambda name: name != source.type_name):
        every = published_topics(node, type_name)
        if type_name == _PACKED:  # each transport has its own encoding below the same base
            every = [name for name in every if name.endswith('/compressedDepth') == source.is_depth]
        fitting = depth_topics(every, aligned_first=source.beside_images) if source.is_depth else colour_topics(every)
        if fitting:
            return f'{_choose(source, fitting[0], type_name)} (published: {", ".join(fitting[:_SHOWN])})'
    if not source.is_depth and depth_topics(published_topics(node, _RAW), aligned_first=False):
        return 'only depth images are published; start the colour stream of the camera driver, or set modality to depth'
    return f'start the camera driver or replay_node, or remap {source.remap} to the topic it uses'


def _choose(source: Source, topic: str, type_name: str) -> str:
    """How to subscribe to a topic of either type: the remap, and the transport where it must change."""
    if type_name == _RAW:
        transport, remap = 'raw', f'{source.remap}:={topic}'
    else:
        transport = COMPRESSED[source.is_depth]
        base = topic.removesuffix(f'/{transport}')
        remap = f'{source.remap}:={base}' if base != topic else f'{source.remap}/{transport}:={topic}'
    if transport == source.transport:
        return f'remap it, as in {remap}'
    return f'set {source.transport_parameter} to {transport} and remap {remap}'
