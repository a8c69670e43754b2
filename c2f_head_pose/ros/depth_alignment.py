"""Brings depth images into the pixels of the colour images: as they are where the driver has registered them, else by extrinsics."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..camera import camera_from_info
from ..depth_registration import DepthRegistration
from ..types import Camera
from .calibration import calibration_of
from .frames import FrameError, TfLookup
from .topic_names import is_rectified

_SAME_FOCAL = 0.01
_SAME_CENTRE_PX = 3.0
"""Intrinsics that differ by no more are those of the same pixels: drivers round, and calibrate again."""
_REMEDY = 'or use depth that the driver aligns to the images (such as aligned_depth_to_color), or depth_image_proc/register'


class DepthError(RuntimeError):
    """Depth that cannot be brought into the image; the text names what is missing and the remedy."""


@dataclass(frozen=True, eq=False)
class ImageView:
    """The image that depth is to be registered to.

    Attributes:
        header: of its message.
        shape: (H, W) pixels.
        camera: its calibration; None unknown.
        rectified: whether P of camera_info describes it, instead of K and D.
    """

    header: Any
    shape: tuple[int, int]
    camera: Camera | None = None
    rectified: bool = False


class DepthAlignment:
    """Decides whether depth is registered to the images, and registers it where it is not.

    Depth is taken to be registered if it has the images' frame_id and size, and its camera_info, where there is one, has their
    intrinsics. Otherwise both calibrations are needed, and TF where the frames differ.

    Attributes:
        status: what is done with depth, for diagnostics.
        tf: set from outside once frames were seen to differ; most cameras do without.
        no_tf: why it is None.
    """

    def __init__(self, topic: str, info_topic: str) -> None:
        """Starts without a calibration.

        Args:
            topic: of the depth images.
            info_topic: of their camera_info.
        """
        self.status = 'registered by the driver'
        self.tf: TfLookup | None = None
        self.no_tf = 'TF is not read yet'
        self._topic = topic
        self._info_topic = info_topic
        self._info: Any = None
        self._known: tuple = ()
        self._camera: Camera | None = None
        self._matches = False
        self._registration: DepthRegistration | None = None

    def update(self, info: Any) -> None:
        """Takes the depth images' camera_info; called from another thread than `align`."""
        self._info = info

    def align(self, depth_m: np.ndarray, header: Any, view: ImageView) -> np.ndarray:
        """Depth in the image's pixels.

        Args:
            depth_m: (H, W) float32 metres, NaN unknown, as received.
            header: of the depth message.
            view: the image.

        Returns:
            (H, W) of the image, float32 metres along its camera's optical axis, NaN unknown.

        Raises:
            DepthError: naming what is missing.
        """
        frames = header.frame_id.lstrip('/'), view.header.frame_id.lstrip('/')
        same_frame = frames[0] == frames[1] or not all(frames)
        same_size = depth_m.shape == view.shape
        info = self._info
        if same_frame and same_size and (info is None or view.camera is None):
            return depth_m
        why = self._why(depth_m.shape, view.shape, frames, same_frame)
        missing = []
        if info is None:
            missing.append(f'publish its calibration on {self._info_topic} (remap depth/camera_info)')
        if view.camera is None:
            missing.append('publish camera_info of the images')
        if not missing:
            assert view.camera is not None
            self._read(info, depth_m.shape, view, why)
            if same_frame and same_size and self._matches:
                self.status = 'registered by the driver'
                return depth_m
        R_cam_depth, t_cam_depth_m = np.eye(3), np.zeros(3)
        if not same_frame:
            try:
                if self.tf is None:
                    raise FrameError(self.no_tf)
                R_cam_depth, t_cam_depth_m = self.tf.lookup(frames[1], frames[0])
            except FrameError as error:
                missing.append(f'publish the transform from {frames[0]} to {frames[1]} ({error})')
        if missing:
            raise DepthError(f'{why}, and cannot be registered here: {"; ".join(missing)}; {_REMEDY}')
        assert self._registration is not None
        begun_s = time.perf_counter()
        registered_m = self._registration.register(depth_m, R_cam_depth, t_cam_depth_m)
        took_ms = 1e3 * (time.perf_counter() - begun_s)
        origin = f'from {frames[0]} to {frames[1]}' if not same_frame else 'from its own intrinsics'
        self.status = f'registered here, {origin}, in {took_ms:.0f} ms'
        return registered_m

    def _why(self, shape: tuple[int, ...], image_shape: tuple[int, int], frames: tuple[str, str], same_frame: bool) -> str:
        """In what way depth is not registered."""
        if not same_frame:
            return f'depth on {self._topic} is in frame {frames[0]}, the images in {frames[1]}, so it is not registered to them'
        if shape != image_shape:
            return (
                f'depth on {self._topic} has {shape[1]}x{shape[0]} pixels, the image {image_shape[1]}x{image_shape[0]}, '
                'so it is not registered to it'
            )
        return f'depth on {self._topic} has other intrinsics than the images, so it is not registered to them'

    def _read(self, info: Any, shape: tuple[int, ...], view: ImageView, why: str) -> None:
        """Reads the calibration where it, the image's camera or either size has changed."""
        known = (calibration_of(info), shape, view.camera, view.rectified)
        if known == self._known:
            return
        self._known = ()
        assert view.camera is not None
        cameras, found = [], 'is uncalibrated'
        for rectified in sorted((False, True), key=lambda one: one != bool(is_rectified(self._topic))):
            try:
                cameras.append(camera_from_info(info, rectified))
            except ValueError as error:
                found = f'cannot be used ({error})'
        camera = next((one for one in cameras if one is not None), None)
        if camera is None or (camera.height, camera.width) != shape:
            if camera is not None:
                found = f'is for {camera.width}x{camera.height} pixels'
            raise DepthError(
                f'{why}, and cannot be registered here: camera_info on {self._info_topic} {found}, depth has '
                f'{shape[1]}x{shape[0]}; publish the calibration of these depth images, {_REMEDY}'
            )
        self._matches = any(one is not None and _same_pixels(one, view.camera) for one in cameras)
        self._registration = DepthRegistration(camera, view.camera)
        self._known = known


def _same_pixels(a: Camera, b: Camera) -> bool:
    """Whether two cameras at one place see the same in each pixel, within what drivers round."""
    focal_a, focal_b = np.diag(a.K)[:2], np.diag(b.K)[:2]
    return (
        (a.width, a.height) == (b.width, b.height)
        and bool(np.all(np.abs(focal_a - focal_b) <= _SAME_FOCAL * focal_b))
        and bool(np.all(np.abs(a.K[:2, 2] - b.K[:2, 2]) <= _SAME_CENTRE_PX))
    )
