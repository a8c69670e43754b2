"""The depth of a recording in the pixels of its images, registered as the node does."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..depth_alignment import RECORDED, DepthAlignment, ImageView
from ..images import depth_from_message
from ..transforms import FrameError, TransformTree
from .bagfile import BagFile
from .choice import TopicChoice, first_message, folder, frame_of
from .storage import BagError


class RecordedDepth:
    """Brings depth into the images' pixels, with the calibrations and transforms of the recording.

    Attributes:
        alignment: how the depth was registered to the image.

    Args:
        bag: the recording, which is not being read meanwhile.
        choice: its topics, with depth.
    """

    def __init__(self, bag: BagFile, choice: TopicChoice) -> None:
        assert choice.depth is not None
        self._info_topic, self._tf_topics = choice.depth_info, choice.transforms
        self._tree = TransformTree()
        self.alignment = DepthAlignment(choice.depth, choice.depth_info or f'{folder(choice.depth)}/camera_info', RECORDED)
        if choice.depth_info is not None:
            self.alignment.update(first_message(bag, choice.depth_info))
        if choice.transforms:
            self.alignment.tf = self._tree
            self._read_transforms(bag, *(frame_of(first_message(bag, topic)) for topic in (choice.image, choice.depth)))

    def take(self, topic: str, message: Any) -> bool:
        """Takes a message that is depth's calibration or TF; returns whether it is."""
        if topic == self._info_topic:
            self.alignment.update(message)
        if topic in self._tf_topics:
            self._tree.add(message)
        return topic == self._info_topic or topic in self._tf_topics

    def align(self, message: Any, view: ImageView) -> np.ndarray:
        """A depth message in an image's pixels.

        Returns:
            (H, W) of the image, float32 metres along its camera's optical axis, NaN unknown.

        Raises:
            ImageError: for a message that cannot be read, or is not in metres.
            DepthError: for depth that cannot be brought into the image.
        """
        return self.alignment.align(depth_from_message(message), message.header, view)

    def _read_transforms(self, bag: BagFile, image_frame: str, depth_frame: str) -> None:
        """Reads TF until it connects the two frames: recorders write transforms that never change once, anywhere before they are used."""
        for message in bag.messages(self._tf_topics):
            try:
                self._tree.add(message.decode())
                self._tree.lookup(image_frame, depth_frame)
            except (BagError, FrameError):
                continue
            return
