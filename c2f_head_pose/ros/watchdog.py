"""Why no image comes, from what the ROS graph shows."""
from __future__ import annotations

from typing import Any

from rclpy.qos import QoSCompatibility, QoSProfile, qos_check_compatible


def explain_silence(node: Any, topic: str, type_name: str, qos: QoSProfile, received_before: bool) -> str:
    """The likeliest reason that nothing arrives on a topic, and its remedy, in a sentence or two.

    Args:
        node: the rclpy node that subscribes.
        topic: the resolved topic.
        type_name: the type subscribed, such as sensor_msgs/msg/Image.
        qos: the profile subscribed with.
        received_before: whether something had arrived earlier.
    """
    publishers = node.get_publishers_info_by_topic(topic)
    if not publishers:
        if received_before:
            return f'the publisher of {topic} has gone; start the camera driver or the replay again'
        others = _published_by_others(node, type_name)
        if not others:
            return f'nobody publishes {topic}; start the camera driver or replay_node, or remap image to the topic it uses'
        return f'nobody publishes {topic}; remap it, as in image:={others[0]} (published: {", ".join(others[:5])})'
    wrong = [publisher.topic_type for publisher in publishers if publisher.topic_type != type_name]
    if len(wrong) == len(publishers):
        remedy = "set image_transport" if 'Image' in wrong[0] else 'remap image to an image topic'
        return f'{topic} is published as {wrong[0]}, not {type_name}; {remedy}'
    heard = [one for one in publishers if qos_check_compatible(one.qos_profile, qos)[0] != QoSCompatibility.ERROR]
    if not heard:
        return explain_mismatch(node, topic, qos)
    owner = _owner(heard[0])
    if received_before:
        return f'{owner} still has {topic} open but sends nothing more; look at the camera, or whether the replay is paused or over'
    return (f'{owner} publishes {topic} but nothing arrives; look whether it sends (ros2 topic hz {topic}), and on Fast DDS '
            'whether its shared memory is larger than an image (config/fastdds.xml)')


def explain_mismatch(node: Any, topic: str, qos: QoSProfile) -> str:
    """Which publisher of a topic offers less than a subscription asks for, and the remedy; empty if none does."""
    for publisher in node.get_publishers_info_by_topic(topic):
        compatibility, reason = qos_check_compatible(publisher.qos_profile, qos)
        if compatibility == QoSCompatibility.ERROR:
            return (f'{_owner(publisher)} publishes {topic} with incompatible QoS ({reason.strip().rstrip(";")}); '
                    f'drop the override qos_overrides.{topic}.subscription.*, or change the publisher')
    return ''


def _published_by_others(node: Any, type_name: str) -> list[str]:
    own = node.get_fully_qualified_name()
    return sorted(name for name, types in node.get_topic_names_and_types()
                  if type_name in types and any(_owner(publisher) != own for publisher in node.get_publishers_info_by_topic(name)))


def _owner(publisher: Any) -> str:
    return f'{publisher.node_namespace.rstrip("/")}/{publisher.node_name}'
