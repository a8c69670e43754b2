"""Reads a message into a frame: pixels, the depth that belongs to them, and the camera that took them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..depth_alignment import ImageView
from ..draw import depth_picture
from ..images import ImageError, depth_from_message
from ..parameters import Parameters
from ..transforms import frames_differ
from ..types import Camera
from .calibration import Calibration
from .depth_input import DepthInput, DepthTiming
from .image_converter import ImageConverter


@dataclass(frozen=True, eq=False)
class Frame:
    """One image as it was read.

    Attributes:
        header: its message's header.
        image: (H, W) gray or (H, W, 3) BGR uint8; None of depth alone.
        depth_m: (H, W) float32 metres, NaN unknown, registered to the image; None without depth.
        camera: the camera that took it; None without a calibration.
    """

    header: Any
    image: np.ndarray | None
    depth_m: np.ndarray | None
    camera: Camera | None

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        pixels = self.depth_m if self.image is None else self.image
        assert pixels is not None
        return pixels.shape[1], pixels.shape[0]

    def picture(self) -> np.ndarray:
        """The image to look at; of depth alone one is made."""
        if self.image is not None:
            return self.image
        assert self.depth_m is not None
        return depth_picture(self.depth_m)


class FrameReader:
    """Reads the messages of one stream."""

    def __init__(self, calibration: Calibration, depth: DepthInput | None, parameters: Callable[[], Parameters]) -> None:
        """Starts a stream.

        Args:
            calibration: the camera's calibration.
            depth: depth beside the images; None without.
            parameters: returns the set in force.
        """
        self._calibration = calibration
        self._depth = depth
        self._parameters = parameters
        self._converter = ImageConverter()

    def read(self, message: Any, depth_alone: bool) -> Frame:
        """The frame of a message.

        Args:
            message: sensor_msgs/Image or CompressedImage.
            depth_alone: it is a depth image without a colour image.

        Raises:
            ImageError: naming what cannot be read.
        """
        parameters = self._parameters()
        if depth_alone:
            depth_m = depth_from_message(message)
            return Frame(message.header, None, depth_m, self._depth_camera(message.header, depth_m.shape, parameters.rectified))
        image = self._converter.image(message)
        camera = self._calibration.camera(image.shape[1], image.shape[0], parameters.rectified, message.header.frame_id)
        if self._depth is None:
            return Frame(message.header, image, None, camera)
        view = ImageView(message.header, (image.shape[0], image.shape[1]), camera, parameters.rectified)
        timing = DepthTiming(parameters.depth_tolerance_s, parameters.depth_wait_s, parameters.silence_timeout_s)
        return Frame(message.header, image, self._depth.depth_m(view, timing), camera)

    def _depth_camera(self, header: Any, shape: tuple[int, ...], rectified: bool) -> Camera:
        """The camera of a depth image that stands alone: of its own calibration, else of the images' whose frame it is in."""
        if self._depth is not None and (camera := self._depth.alignment.camera(shape)):
            return camera
        of_images = self._depth is not None or self._calibration.borrowed
        frames = header.frame_id, self._calibration.frame_id
        if of_images and frames_differ(*frames):
            raise ImageError(
                f'depth is in frame {frames[0]}, camera_info in {frames[1]}: publish the calibration of the depth images beside them '
                '(depth/camera_info)'
            )
        rectified = rectified or (self._depth is None and self._calibration.of_rectified_depth)
        camera = self._calibration.camera(shape[1], shape[0], rectified, header.frame_id)
        if camera is None:
            raise ImageError(f'heads are found in depth by their size in metres, which needs camera_info: {self._calibration.status}')
        return camera
