"""The topics of a recording that were chosen, and the names and types that they are known by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..transforms import plain_frame
from .bagfile import BagFile
from .storage import BagError

IMAGE_TYPE, COMPRESSED_TYPE = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
IMAGE_TYPES = (IMAGE_TYPE, COMPRESSED_TYPE)
INFO_TYPE = 'sensor_msgs/msg/CameraInfo'
TF_TYPES = ('tf2_msgs/msg/TFMessage', 'tf/msg/tfMessage')
COMPRESSED, COMPRESSED_DEPTH = '/compressed', '/compressedDepth'
"""Endings of the topics that image_transport publishes compressed pictures and compressed depth on."""


@dataclass(frozen=True)
class Wording:
    """How a user names a topic, for remedies.

    Attributes:
        image: option or parameter of the image topic.
        depth: the depth topic's name; None where there is none.
    """

    image: str
    depth: str | None = None


COMMAND_LINE = Wording('--image', '--depth')


@dataclass(frozen=True)
class TopicChoice:
    """The topics that are read, and why.

    Attributes:
        image: Image or CompressedImage; of depth alone its topic.
        camera_info: None where there is none: angles are then relative to the ray through each face.
        depth: depth in the images' pixels, or that can be registered to them; None where there is none.
        depth_info: calibration of the depth; None where there is none.
        transforms: topics of TF, where depth needs them to be registered.
        reasons: one sentence a choice, for people.
        depth_alone: the images are depth, read without colour.
    """

    image: str
    camera_info: str | None = None
    depth: str | None = None
    depth_info: str | None = None
    transforms: tuple[str, ...] = ()
    reasons: tuple[str, ...] = ()
    depth_alone: bool = False


def folder(topic: str) -> str:
    """The namespace of an image topic, where image_transport puts its calibration."""
    return raw_name(topic).rpartition('/')[0]


def raw_name(topic: str) -> str:
    """The name of an image topic without its transport's ending."""
    return topic.removesuffix(COMPRESSED).removesuffix(COMPRESSED_DEPTH)


def frame_of(message: Any) -> str:
    """The frame of a message's header, without the slash in front of ROS 1's; '' without a message."""
    return '' if message is None else plain_frame(str(message.header.frame_id))


def first_message(bag: BagFile, topic: str) -> Any:
    """The first message of a topic; None where there is none, or it cannot be decoded."""
    for message in bag.messages([topic]):
        try:
            return message.decode()
        except BagError:
            return None
    return None
