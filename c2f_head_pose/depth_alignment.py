"""Brings depth images into the pixels of the colour images: as they are where the driver has registered them, else by extrinsics."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import numpy as np

from .camera import calibration_of, camera_from_info
from .depth_registration import DepthRegistration
from .topic_names import is_rectified
from .transforms import FrameError, Transforms, frames_differ, plain_frame
from .types import Camera

_SAME_FOCAL = 0.01
_SAME_CENTRE_PX = 3.0
"""Intrinsics that differ by no more are those of the same pixels: drivers round, and calibrate again."""

_BY_DRIVER = 'registered by the driver'


@dataclass(frozen=True)
class Wording:
    """How a user supplies what is missing.

    Attributes:
        supply: the verb.
        info_hint: follows the name of the topic of depth's calibration.
        no_tf: why there are no transforms, until they are set.
    """

    supply: str
    info_hint: str
    no_tf: str


LIVE = Wording('publish', ' (remap depth/camera_info)', 'TF is not read yet')
RECORDED = Wording('record', '', 'the recording has no TF')


class DepthError(RuntimeError):
    """Depth that cannot be brought into the image; the text names what is missing and the remedy.

    Attributes:
        why: the reason why it is not registered.
    """

    def __init__(self, why: str, remedy: str) -> None:
        super().__init__(f'{why}, and cannot be registered here: {remedy}')
        self.why = why


@dataclass(frozen=True, eq=False)
class ImageView:
    """The image that depth is to be registered to.

    Attributes:
        header: its message's header.
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
        method: the way in which the last depth came into the image's pixels.
        status: the same with the time that it took, for diagnostics.
        tf: set from outside once frames were seen to differ; most cameras do without.
        no_tf: why it is None.
    """

    def __init__(self, topic: str, info_topic: str, wording: Wording = LIVE) -> None:
        """Starts without a calibration.

        Args:
            topic: the depth images' topic.
            info_topic: the topic of their camera_info.
            wording: the wording of the remedies.
        """
        self.method = self.status = _BY_DRIVER
        self.tf: Transforms | None = None
        self.no_tf = wording.no_tf
        self._wording = wording
        self._topic = topic
        self._info_topic = info_topic
        self._info: Any = None
        self._known: tuple = ()
        self._matches = False
        self._registration: DepthRegistration | None = None

    def update(self, info: Any) -> None:
        """Takes the depth images' camera_info; called from another thread than `align`."""
        self._info = info

    def align(self, depth_m: np.ndarray, header: Any, view: ImageView) -> np.ndarray:
        """Depth in the image's pixels.

        Args:
            depth_m: (H, W) float32 metres, NaN unknown, as received.
            header: the depth message's header.
            view: the image.

        Returns:
            (H, W) of the image, float32 metres along its camera's optical axis, NaN unknown.

        Raises:
            DepthError: naming what is missing.
        """
        frames = plain_frame(header.frame_id), plain_frame(view.header.frame_id)
        same_frame = not frames_differ(*frames)
        same_size = depth_m.shape == view.shape
        info = self._info
        if same_frame and same_size and (info is None or view.camera is None):
            self.method = self.status = _BY_DRIVER
            return depth_m
        why = self._why(depth_m.shape, view.shape, frames, same_frame)
        missing = []
        if info is None:
            missing.append(f'{self._wording.supply} its calibration on {self._info_topic}{self._wording.info_hint}')
        if view.camera is None:
            missing.append(f'{self._wording.supply} camera_info of the images')
        if not missing:
            assert view.camera is not None
            self._read(info, depth_m.shape, view, why)
            if same_frame and same_size and self._matches:
                self.method = self.status = _BY_DRIVER
                return depth_m
        R_cam_depth, t_cam_depth_m = np.eye(3), np.zeros(3)
        if not same_frame:
            try:
                if self.tf is None:
                    raise FrameError(self.no_tf)
                R_cam_depth, t_cam_depth_m = self.tf.lookup(frames[1], frames[0])
            except FrameError as error:
                missing.append(f'{self._wording.supply} the transform from {frames[0]} to {frames[1]} ({error})')
        if missing:
            raise DepthError(why, f'{"; ".join(missing)}; {self._remedy}')
        assert self._registration is not None
        begun_s = time.perf_counter()
        registered_m = self._registration.register(depth_m, R_cam_depth, t_cam_depth_m)
        took_ms = 1e3 * (time.perf_counter() - begun_s)
        origin = f'from {frames[0]} to {frames[1]}' if not same_frame else 'from its own intrinsics'
        self.method = f'registered here, {origin}'
        self.status = f'{self.method}, in {took_ms:.0f} ms'
        return registered_m

    def camera(self, shape: tuple[int, ...]) -> Camera | None:
        """The camera of the depth images themselves, for depth of (H, W) pixels; None without a usable calibration of this size."""
        if self._info is None:
            return None
        camera = next(iter(self._cameras(self._info)[0]), None)
        return camera if camera is not None and (camera.height, camera.width) == shape else None

    @property
    def registered_by_driver(self) -> bool:
        """Whether the last depth was in the image's pixels already."""
        return self.method == _BY_DRIVER

    @property
    def _remedy(self) -> str:
        aligned = 'such as aligned_depth_to_color, depth_image_proc/register'
        return f'or {self._wording.supply} depth that the driver aligns to the images ({aligned})'

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
        cameras, found = self._cameras(info)
        camera = next(iter(cameras), None)
        if camera is None or (camera.height, camera.width) != shape:
            if camera is not None:
                found = f'is for {camera.width}x{camera.height} pixels'
            raise DepthError(
                why,
                f'camera_info on {self._info_topic} {found}, depth has {shape[1]}x{shape[0]}; {self._wording.supply} the calibration '
                f'of these depth images, {self._remedy}',
            )
        self._matches = any(_same_pixels(one, view.camera) for one in cameras)
        self._registration = DepthRegistration(camera, view.camera)
        self._known = known

    def _cameras(self, info: Any) -> tuple[list[Camera], str]:
        """The cameras that a camera_info describes, the one first that the topic's name speaks for; and why there is none."""
        cameras: list[Camera] = []
        found = 'is uncalibrated'
        for rectified in sorted((False, True), key=lambda one: one != bool(is_rectified(self._topic))):
            try:
                camera = camera_from_info(info, rectified)
            except ValueError as error:
                found = f'cannot be used ({error})'
            else:
                cameras += [] if camera is None else [camera]
        return cameras, found


def _same_pixels(a: Camera, b: Camera) -> bool:
    """Whether two cameras at one place see the same in each pixel, within what drivers round."""
    focal_a, focal_b = np.diag(a.K)[:2], np.diag(b.K)[:2]
    return (
        (a.width, a.height) == (b.width, b.height)
        and bool(np.all(np.abs(focal_a - focal_b) <= _SAME_FOCAL * focal_b))
        and bool(np.all(np.abs(a.K[:2, 2] - b.K[:2, 2]) <= _SAME_CENTRE_PX))
    )
