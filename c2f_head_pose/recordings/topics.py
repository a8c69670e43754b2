"""Chooses the topics of images, calibration and depth in a recording, by one set of rules for evaluation and replay."""

from __future__ import annotations

from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

from ..camera import camera_from_info
from ..depth_alignment import DepthError, ImageView
from ..images import DEPTH_ENCODINGS, ImageError, encoding_of, holds_depth, image_from_compressed, image_from_message
from ..transforms import frames_differ
from .bagfile import BagFile, Topic
from .choice import (
    COMMAND_LINE,
    COMPRESSED,
    COMPRESSED_DEPTH,
    IMAGE_TYPE,
    IMAGE_TYPES,
    INFO_TYPE,
    TF_TYPES,
    TopicChoice,
    Wording,
    first_message,
    folder,
    frame_of,
)
from .recorded_depth import RecordedDepth
from .storage import BagError

_DRAWN = ('annotated', 'debug', 'overlay')
_INFRARED = ('/ir/', '/ir_', '/infra')
_ALIGNED = ('aligned', 'registered')


def choose_topics(
    bag: BagFile,
    image: str | None = None,
    camera_info: str | None = None,
    depth: str | None = None,
    wording: Wording = COMMAND_LINE,
    rectified: bool = False,
) -> TopicChoice:
    """Finds the topics by their types, contents, frames and names.

    Args:
        bag: the recording.
        image: name, with or without its transport's ending `/compressed`; chosen when None.
        camera_info: name, 'none' for none; chosen when None.
        depth: name, 'none' for none; chosen when None.
        wording: the way in which the user names a topic, for messages.
        rectified: the images are rectified: P without distortion instead of K and D.

    Raises:
        BagError: when there is no image topic, or a named topic is missing, of another type, or holds depth
            that cannot be registered to the images.
    """
    topics = _Topics(bag)
    name, why = topics.image(image, wording)
    choice = TopicChoice(name, reasons=(why,))
    if camera_info != 'none':
        info, why = topics.calibration(name, camera_info)
        choice = replace(choice, camera_info=info, reasons=(*choice.reasons, why))
    return choice if depth == 'none' else topics.depth(choice, depth, rectified)


def choose_depth(bag: BagFile, camera_info: str | None = None, depth: str | None = None) -> TopicChoice:
    """Finds the topic of depth that is read alone, without images, and its calibration.

    Args:
        bag: the recording.
        camera_info: name; chosen when None.
        depth: name, with or without its transport's ending; chosen when None.

    Raises:
        BagError: when there is no depth or no calibration of it, or a named topic is missing or of another type.
    """
    topics = _Topics(bag)
    name, why = topics.depth_alone(depth)
    info, why_info = (None, '') if camera_info == 'none' else topics.calibration(name, camera_info)
    if info is None:
        raise BagError(
            f'heads are found in depth by their size in metres, which needs a calibration: record {folder(name)}/camera_info beside '
            f'{name}, or name one with --camera-info'
        )
    return TopicChoice(name, info, reasons=(why, why_info), depth_alone=True)


@dataclass(frozen=True)
class _DepthTrial:
    """The result of registering the first depth image of a topic to the first image.

    Attributes:
        choice: the topics with this depth.
        how: the way of registration, in words; '' where the driver has done it.
        why: the reason why it cannot be used; '' for depth that can.
        error: the same with the remedy.
    """

    choice: TopicChoice
    how: str = ''
    why: str = ''
    error: str = ''

    @property
    def depth(self) -> str:
        assert self.choice.depth is not None
        return self.choice.depth

    def chosen(self, remark: str) -> TopicChoice:
        """The choice, with its reason."""
        how = f', {self.how}' if self.how else ''
        return replace(self.choice, reasons=(*self.choice.reasons, f'depth {self.depth}{how}{remark}'))


class _Topics:
    """The topics of a recording, with their first messages, each read once."""

    def __init__(self, bag: BagFile) -> None:
        self._bag = bag
        self._first: dict[str, Any] = {}

    def image(self, named: str | None, wording: Wording) -> tuple[str, str]:
        if named is not None:
            name = self._recorded(named, COMPRESSED)
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
            if frames_differ(self._frame(found), self._frame(image)):
                return None, f"{none}; {found} is of frame {self._frame(found)}, not of the images' ({self._frame(image)})"
        return (None, none) if found is None else (found, f'calibration {found}')

    def depth(self, choice: TopicChoice, named: str | None, rectified: bool) -> TopicChoice:
        """The choice with depth that is in the images' pixels, or else can be registered to them."""
        if named is not None:
            name = self._recorded(named, COMPRESSED_DEPTH, COMPRESSED)
            self._require(name, IMAGE_TYPES)
            trial = self._try(replace(choice, depth=name), self._view(choice, rectified))
            if trial.error:
                raise BagError(trial.error)
            return trial.chosen(' (named)')
        maps = [name for name in self._of_type(IMAGE_TYPES) if name != choice.image and self._is_depth(name)]
        view = self._view(choice, rectified) if maps else None
        trials = [self._try(replace(choice, depth=name), view) for name in maps]
        usable = sorted(
            (one for one in trials if not one.why), key=lambda one: (one.how != '', *self._unlikely_depth(one.depth, choice.image))
        )
        if not usable:
            return replace(choice, reasons=(*choice.reasons, *(f'{one.error}; it is not used' for one in trials)))
        others = ', '.join(one.depth for one in usable[1:])
        found = usable[0].chosen(f' (also there: {others})' if others else '')
        return replace(found, reasons=(*found.reasons, *(f'{one.why}; it is not used' for one in trials if one.why)))

    def depth_alone(self, named: str | None) -> tuple[str, str]:
        if named is not None:
            name = self._recorded(named, COMPRESSED_DEPTH, COMPRESSED)
            self._require(name, IMAGE_TYPES)
            return name, f'depth {name} alone (named)'
        maps = [name for name in self._of_type(IMAGE_TYPES) if self._is_depth(name)]
        if not maps:
            raise BagError(f'{self._bag.path.name} has no depth, which the model reads; it holds {_listed(self._bag.topics.values())}')
        name = min(maps, key=lambda one: (self.calibration(one, None)[0] is None, *self._unlikely_depth(one, one)))
        others = ', '.join(one for one in maps if one != name)
        return name, f'depth {name} alone' + (f' (also there: {others}; name one with --depth)' if others else '')

    def _view(self, choice: TopicChoice, rectified: bool) -> ImageView | None:
        """The first image with its calibration, which depth is registered to; None where it cannot be read."""
        message = self._message(choice.image)
        if message is None:
            return None
        try:
            image = image_from_compressed(message) if hasattr(message, 'format') else image_from_message(message)
        except ImageError:
            return None
        camera = None
        if choice.camera_info is not None and (info := self._message(choice.camera_info)) is not None:
            with suppress(ValueError):
                camera = camera_from_info(info, rectified)
        shape = image.shape[0], image.shape[1]
        return ImageView(message.header, shape, camera if camera is None or (camera.height, camera.width) == shape else None, rectified)

    def _try(self, choice: TopicChoice, view: ImageView | None) -> _DepthTrial:
        """Brings the first image of a depth topic into a view."""
        topic = choice.depth
        assert topic is not None
        first = self._message(topic)
        choice = replace(choice, depth_info=self._beside(topic, self._of_type((INFO_TYPE,))))
        if first is None or view is None:
            return _DepthTrial(choice)  # read_frames tries each of its messages
        if frames_differ(self._frame(topic), self._frame(choice.image)):
            choice = replace(choice, transforms=tuple(self._of_type(TF_TYPES)))
        depth = RecordedDepth(self._bag, choice)
        try:
            depth.align(first, view)
        except ImageError as error:
            why = f'depth {topic} cannot be read'
            return _DepthTrial(choice, why=why, error=f'{why}: {error}')
        except DepthError as error:
            return _DepthTrial(choice, why=error.why, error=str(error))
        if depth.alignment.registered_by_driver:
            return _DepthTrial(replace(choice, transforms=()))
        return _DepthTrial(choice, how=depth.alignment.method)

    def _recorded(self, named: str, *endings: str) -> str:
        """The name of a topic that is named with or without its transport's ending."""
        return next((name for name in (named, *(named + ending for ending in endings)) if name in self._bag.topics), named)

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
        return min((name for name in candidates if folder(name) == folder(image)), default=None)

    def _unlikeliness(self, name: str) -> tuple:
        """Sorts image topics: drawings last, calibrated first, colour before infrared, raw before compressed, many messages before few."""
        topic = self._bag.topics[name]
        calibrated = f'{folder(name)}/camera_info' in self._bag.topics
        infrared = any(word in name for word in _INFRARED)
        return any(word in name for word in _DRAWN), not calibrated, infrared, topic.type != IMAGE_TYPE, -topic.count, name

    def _unlikely_depth(self, name: str, image: str) -> tuple:
        """Sorts depth topics: named as aligned first, then in the image's namespace, raw before compressed, many messages before few."""
        topic = self._bag.topics[name]
        return not _named_aligned(name), folder(name) != folder(image), topic.type != IMAGE_TYPE, -topic.count, name

    def _is_depth(self, name: str) -> bool:
        """By its first message's encoding; by its name where it has no message that can be read."""
        if name.endswith(COMPRESSED_DEPTH):
            return True
        encoding = self._encoding(name)
        return encoding in DEPTH_ENCODINGS if encoding else 'depth' in name

    def _encoding(self, name: str) -> str:
        """Of an image; of compressed depth, that of the raw depth. '' where it cannot be read, and for compressed pictures."""
        message = self._message(name)
        if hasattr(message, 'format'):
            return encoding_of(message) if holds_depth(message) else ''
        return getattr(message, 'encoding', '')

    def _message(self, name: str) -> Any:
        if name not in self._first:
            self._first[name] = first_message(self._bag, name)
        return self._first[name]

    def _frame(self, name: str) -> str:
        return frame_of(self._message(name))


def _named_aligned(name: str) -> bool:
    return any(word in name for word in _ALIGNED)


def _listed(topics: Collection[Topic]) -> str:
    return ', '.join(f'{t.name} ({t.type or "no type"}{"" if t.encoding == "cdr" else ", " + t.encoding})' for t in topics) or 'nothing'
