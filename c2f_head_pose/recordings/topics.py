"""Which topics of a recording hold the images, the calibration and the depth: one set of rules for evaluation and replay."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import numpy as np

from .bagfile import BagFile, Topic
from .storage import BagError

IMAGE_TYPE, COMPRESSED_TYPE = 'sensor_msgs/msg/Image', 'sensor_msgs/msg/CompressedImage'
IMAGE_TYPES = (IMAGE_TYPE, COMPRESSED_TYPE)
INFO_TYPE = 'sensor_msgs/msg/CameraInfo'
COMPRESSED = '/compressed'
"""Ending of the topics that image_transport publishes compressed pictures on."""
_DEPTH_ENCODINGS = ('16UC1', '32FC1')
_DRAWN = ('annotated', 'debug', 'overlay')
_INFRARED = ('/ir/', '/ir_', '/infra')
_ALIGNED = ('aligned', 'registered')
_SAME_LENS = 1e-3
"""Relative difference up to which two focal lengths or principal points are those of one camera."""


@dataclass(frozen=True)
class Wording:
    """How a user names a topic, for remedies.

    Attributes:
        image: option or parameter of the image topic.
        depth: of the depth topic; None where there is none to set.
    """

    image: str
    depth: str | None = None


COMMAND_LINE = Wording('--image', '--depth')


@dataclass(frozen=True)
class TopicChoice:
    """The topics that are read, and why.

    Attributes:
        image: Image or CompressedImage.
        camera_info: None where there is none: angles are then relative to the ray through each face.
        depth: registered depth; None where there is none.
        reasons: one sentence a choice, for people.
    """

    image: str
    camera_info: str | None = None
    depth: str | None = None
    reasons: tuple[str, ...] = ()


def choose_topics(
    bag: BagFile, image: str | None = None, camera_info: str | None = None, depth: str | None = None, wording: Wording = COMMAND_LINE
) -> TopicChoice:
    """Finds the topics by their types, contents, frames and names.

    Args:
        bag: the recording.
        image: name, with or without its transport's ending `/compressed`; chosen when None.
        camera_info: name, 'none' for none; chosen when None.
        depth: likewise.
        wording: how the user names a topic.

    Raises:
        BagError: when there is no image topic, or a named topic is missing, of another type, or not registered to the images.
    """
    topics = _Topics(bag)
    image, why = topics.image(image, wording)
    reasons = [why]
    if camera_info != 'none':
        camera_info, why = topics.calibration(image, camera_info)
        reasons.append(why)
    if depth != 'none':
        depth, found = topics.depth(image, depth, wording)
        reasons += found
    return TopicChoice(image, None if camera_info == 'none' else camera_info, None if depth == 'none' else depth, tuple(reasons))


def first_message(bag: BagFile, topic: str) -> Any:
    """The first message of a topic; None where there is none, or it cannot be decoded."""
    for message in bag.messages([topic]):
        try:
            return message.decode()
        except BagError:
            return None
    return None


class _Topics:
    """The topics of a recording, with their first messages, each read once."""

    def __init__(self, bag: BagFile) -> None:
        self._bag = bag
        self._first: dict[str, Any] = {}

    def image(self, named: str | None, wording: Wording) -> tuple[str, str]:
        if named is not None:
            name = named if named in self._bag.topics or named + COMPRESSED not in self._bag.topics else named + COMPRESSED
            self._require(name, IMAGE_TYPES)
            return name, f'images {name} (named)'
        images = self._of_type(IMAGE_TYPES)
        pictures = [name for name in images if not self._is_depth(name)]
        if not pictures:
            raise BagError(self._no_image(images, wording))
        image = min(pictures, key=self._unlikeliness)
        others = [name for name in pictures if name != image]
        also = f' (also there: {", ".join(others)}; name one with {wording.image})' if others else ''
        return image, f'images {image}{also}'

    def calibration(self, image: str, named: str | None) -> tuple[str | None, str]:
        none = 'no calibration: angles are relative to the ray through each face, positions unknown'
        if named is not None:
            self._require(named, (INFO_TYPE,))
            return named, f'calibration {named}'
        candidates = self._of_type((INFO_TYPE,))
        found = self._beside(image, candidates)
        if found is None and len(candidates) == 1:
            found = candidates[0]
            if self._other_frame(found, image):
                return None, f"{none}; {found} is of frame {self._frame(found)}, not of the images' ({self._frame(image)})"
        return (None, none) if found is None else (found, f'calibration {found}')

    def depth(self, image: str, named: str | None, wording: Wording) -> tuple[str | None, list[str]]:
        if named is not None:
            self._require(named, (IMAGE_TYPE,))
            if self._other_frame(named, image):
                raise BagError(f'{self._unregistered(named, image)}; name a depth topic that is registered to the images')
            return named, [f'depth {named} (named)']
        maps = [name for name in self._of_type((IMAGE_TYPE,)) if name != image and self._is_depth(name)]
        registered = [name for name in maps if not self._other_frame(name, image)]
        apart = [name for name in maps if name not in registered]
        chosen = min(registered, key=lambda name: self._unlikely_depth(name, image), default=None)
        reasons = []
        if chosen is not None:
            others = [name for name in registered if name != chosen]
            also = f' (also there: {", ".join(others)})' if others else ''
            reasons.append(f'depth {chosen}{also}')
        reasons += [f'{self._unregistered(name, image)}, so it is not used' for name in apart]
        if apart and chosen is None:
            reasons[-1] += '; record depth that the camera registers to its images (align_depth, depth_registered)'
        return chosen, reasons

    def _of_type(self, types: Collection[str]) -> list[str]:
        return [topic.name for topic in self._bag.topics.values() if topic.type in types and topic.decodable]

    def _require(self, name: str, types: tuple[str, ...]) -> None:
        topics = self._bag.topics
        if name not in topics:
            raise BagError(f'{self._bag.path.name} has no topic {name}; it holds {_listed(topics.values())}')
        if topics[name].type not in types:
            raise BagError(f'{name} has type {topics[name].type or "(several)"}, not {" or ".join(types)}')
        if not topics[name].decodable:
            raise BagError(f'{name} holds {topics[name].type} encoded as {topics[name].encoding}; only ROS messages (cdr, ros1) are read')

    def _no_image(self, images: list[str], wording: Wording) -> str:
        path = self._bag.path.name
        if images:
            return (
                f'{path} has only images that look like depth: {", ".join(f"{name} ({self._encoding(name)})" for name in images)}; '
                f'if one holds infrared pictures, name it with {wording.image}'
            )
        foreign = [topic for topic in self._bag.topics.values() if 'image' in topic.type.lower() or 'packet' in topic.type.lower()]
        if foreign:
            return (
                f'{path} has images only as {_listed(foreign)}; record or convert them as {" or ".join(IMAGE_TYPES)} '
                'in ROS 2 (cdr) or ROS 1 messages'
            )
        return f'{path} has no image topic ({", ".join(IMAGE_TYPES)}); it holds {_listed(self._bag.topics.values())}'

    def _beside(self, image: str, candidates: list[str]) -> str | None:
        """The candidate in the image's namespace."""
        return min((name for name in candidates if _folder(name) == _folder(image)), default=None)

    def _unlikeliness(self, name: str) -> tuple:
        """Sorts image topics: drawings last, calibrated first, colour before infrared, raw before compressed, many messages before few."""
        topic = self._bag.topics[name]
        calibrated = f'{_folder(name)}/camera_info' in self._bag.topics
        infrared = any(word in name for word in _INFRARED)
        return any(word in name for word in _DRAWN), not calibrated, infrared, topic.type != IMAGE_TYPE, -topic.count, name

    def _unlikely_depth(self, name: str, image: str) -> tuple:
        """Sorts registered depth topics: named as aligned first, then in the image's namespace, then with many messages."""
        return not _named_aligned(name), _folder(name) != _folder(image), -self._bag.topics[name].count, name

    def _is_depth(self, name: str) -> bool:
        """By its first message's encoding; by its name where it has no message that can be read."""
        if 'compressedDepth' in name:
            return True
        encoding = self._encoding(name)
        return encoding in _DEPTH_ENCODINGS if encoding else 'depth' in name

    def _encoding(self, name: str) -> str:
        return getattr(self._message(name), 'encoding', '')

    def _message(self, name: str) -> Any:
        if name not in self._first:
            self._first[name] = first_message(self._bag, name)
        return self._first[name]

    def _frame(self, name: str) -> str:
        message = self._message(name)
        return '' if message is None else str(message.header.frame_id).lstrip('/')

    def _other_frame(self, name: str, image: str) -> bool:
        """Whether a topic is of another camera than the images, by its frame, and for depth by its own calibration.

        An unnamed frame proves nothing.
        """
        frame, image_frame = self._frame(name), self._frame(image)
        return bool(frame and image_frame and frame != image_frame) or self._other_lens(name, image)

    def _other_lens(self, name: str, image: str) -> bool:
        """Whether a topic has a calibration of its own beside it with other intrinsics than the images'."""
        infos = self._of_type((INFO_TYPE,))
        own, images = self._beside(name, infos), self._beside(image, infos)
        if own is None or images is None or own == images or name in infos:
            return False
        K, image_K = (np.asarray(getattr(m, 'k', getattr(m, 'K', np.zeros(9))), float) for m in (self._message(own), self._message(images)))
        return bool(K.any() and image_K.any() and np.abs(K - image_K).max() > _SAME_LENS * np.abs(image_K).max())

    def _unregistered(self, name: str, image: str) -> str:
        frame, image_frame = self._frame(name), self._frame(image)
        apart = (
            f'in frame {frame}, the images in {image_frame}' if frame != image_frame else 'calibrated with other intrinsics than the images'
        )
        return f'depth {name} is {apart}: it is not registered to them'


def _named_aligned(name: str) -> bool:
    return any(word in name for word in _ALIGNED)


def _folder(topic: str) -> str:
    return topic.removesuffix(COMPRESSED).rpartition('/')[0]


def _listed(topics: Collection[Topic]) -> str:
    return ', '.join(f'{t.name} ({t.type or "no type"}{"" if t.encoding == "cdr" else ", " + t.encoding})' for t in topics) or 'nothing'
