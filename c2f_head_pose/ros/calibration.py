"""The camera that belongs to the images: from camera_info messages, or the reason why there is none."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..camera import calibration_of, camera_from_info, depth_is_rectified, reaches_corners
from ..geometry import geodesic_deg
from ..topic_names import is_rectified
from ..transforms import frames_differ
from ..types import Camera
from .log import Notices

_LEAST_RECTIFYING_DEG = 0.1
UNCORRECTED = 'orientations are relative to the ray through each face, and positions unknown'


class Calibration:
    """Keeps the newest camera_info and turns it into a camera when it changes.

    Attributes:
        status: text for diagnostics: the calibration, or why it cannot be used.
        borrowed: the calibration in use was published for other images.
    """

    def __init__(self, notices: Notices, topic: str, info_topic: str, remap: str) -> None:
        """Starts without a calibration.

        Args:
            notices: reports what is wrong, and when it is right again.
            topic: the images' topic; its name is compared with the parameter `rectified`.
            info_topic: the topic of their camera_info, for messages.
            remap: the name by which the user remaps it, for messages.
        """
        self.status = f'no camera_info on {info_topic} yet'
        self.borrowed = False
        self._notices = notices
        self._topic = topic
        self._info_topic = info_topic
        self._remap = remap
        self._info: Any = None
        self._known: tuple = ()
        self._camera: Camera | None = None

    def update(self, info: Any) -> None:
        """Takes a sensor_msgs/CameraInfo; called from another thread than `camera`."""
        self._info, self.borrowed = info, False

    def borrow(self, info: Any) -> None:
        """Takes the camera_info of other images, which serves until one of these images has come."""
        if self._info is None or self.borrowed:
            self._info, self.borrowed = info, True

    @property
    def received(self) -> bool:
        """Whether any camera_info has arrived."""
        return self._info is not None

    @property
    def of_rectified_depth(self) -> bool:
        """Whether the images, which are depth, are rectified by the name of their topic."""
        return self._info is not None and depth_is_rectified(self._info, self._topic)

    @property
    def frame_id(self) -> str:
        """The frame of the newest camera_info; empty before the first."""
        return '' if self._info is None else self._info.header.frame_id

    def camera(self, width: int, height: int, rectified: bool, frame_id: str) -> Camera | None:
        """The camera for an image of this size; None, with a throttled warning, where the calibration cannot be used.

        Args:
            width: the image's width, pixels.
            height: the image's height, pixels.
            rectified: the image is rectified.
            frame_id: the image's frame.
        """
        info = self._info
        if info is None:
            return None
        known = (width, height, rectified, frame_id, info.header.frame_id, *calibration_of(info), tuple(info.r))
        if known != self._known:
            self._known = known
            self._camera, self.status = self._read(info, width, height, rectified)
            self._watch_frame(info.header.frame_id, frame_id)
            self._watch_rectification(info, rectified)
            self._watch_stereo_axes(info, rectified)
            self._watch_stereo_centre(info)
            self._watch_reach()
        if self._camera is None:
            self._notices.throttled('camera_info', f'{self.status}; {UNCORRECTED}', 30.0)
        elif self._notices.forget('camera_info'):
            self._notices.say('camera_info can be used now: orientations are in the camera frame')
        return self._camera

    def _watch_frame(self, info_frame: str, image_frame: str) -> None:
        """Warns where camera_info seems to be another camera's. It is used all the same: some drivers name frames carelessly."""
        if self._camera is None or not frames_differ(info_frame, image_frame):
            return
        doubt = f'camera_info on {self._info_topic} is of frame {info_frame}, the images on {self._topic} of {image_frame}'
        self.status = f'{self.status}; {doubt}'
        self._notices.once(
            'info frame',
            f'{doubt}: if these are two cameras, angles and positions are wrong; remap {self._remap} to the calibration of these images',
        )

    def _watch_rectification(self, info: Any, rectified: bool) -> None:
        """Warns where the topic's name and the parameter `rectified` disagree and the answer depends on it."""
        named = is_rectified(self._topic)
        if self._camera is None or named is None or named == rectified or not _rectification_matters(info):
            self._notices.forget('rectified')
            return
        if rectified:
            doubt = f'{self._topic} is the name of raw images, but rectified is true; if they are, set rectified to false'
        else:
            doubt = f'{self._topic} is the name of rectified images, but rectified is false; if they are, set rectified to true'
        self.status = f'{self.status}; {doubt}'
        self._notices.once(
            'rectified',
            f'{doubt}. camera_info describes both kinds (K and D, or P) and they differ: with the wrong one angles and positions are wrong',
        )

    def _watch_stereo_axes(self, info: Any, rectified: bool) -> None:
        """Warns where raw and rectified images of a stereo camera have axes of their own, which one frame_id cannot tell apart."""
        apart_deg = _rectifying_deg(info)
        if self._camera is None or rectified or not apart_deg >= _LEAST_RECTIFYING_DEG:
            self._notices.forget('stereo axes')
            return
        doubt = f"camera_info's R turns this stereo camera by {apart_deg:.1f} deg; poses of raw images are in the raw camera's axes"
        self.status = f'{self.status}; {doubt}'
        self._notices.once(
            'stereo axes',
            f"{doubt}. If frame {info.header.frame_id} is the rectified camera's, as stereo_image_proc takes it, use the rectified "
            'images and set rectified to true',
        )

    def _watch_stereo_centre(self, info: Any) -> None:
        """Warns where camera_info is of the second camera of a stereo pair, whose frame_id may be that of the first."""
        P = np.reshape(info.p, (3, 4))
        if self._camera is None or not P[:2, 3].any() or not P[[0, 1], [0, 1]].all():
            self._notices.forget('stereo centre')
            return
        x_m, y_m = (0.0 - P[:2, 3] / P[[0, 1], [0, 1]]).tolist()
        doubt = "camera_info's P is of the second camera of a stereo pair; positions are from this camera's own centre"
        self.status = f'{self.status}; {doubt}'
        self._notices.once(
            'stereo centre',
            f"{doubt}. If frame {info.header.frame_id} is the first camera's, this centre is at x {x_m:.3f} m, y {y_m:.3f} m in it, and "
            "positions and TF are off by that: use the first camera's images, or let the driver name this camera's own frame",
        )

    def _watch_reach(self) -> None:
        """Warns where the lens' polynomial ends before the image does."""
        if self._camera is None or reaches_corners(self._camera):
            self._notices.forget('reach')
            return
        doubt = "camera_info's distortion (D) does not reach the image's corners"
        self.status = f'{self.status}; {doubt}'
        self._notices.once(
            'reach',
            f'{doubt}: faces there are answered as if at the outermost place that it reaches. Calibrate with pictures of the target in '
            'the corners, or as rational_polynomial or equidistant',
        )

    @staticmethod
    def _read(info: Any, width: int, height: int, rectified: bool) -> tuple[Camera | None, str]:
        try:
            camera = camera_from_info(info, rectified)
        except ValueError as error:
            return None, f'camera_info cannot be used: {error}'
        if camera is None:
            return None, f'camera_info is uncalibrated ({"P" if rectified else "K"} is 0): calibrate the camera (camera_calibration)'
        if (camera.width, camera.height) != (width, height):
            return None, (
                f'camera_info is for {camera.width}x{camera.height} pixels, the image has {width}x{height}: '
                "publish the calibration of this image (of the same driver mode, through image_proc's resize node)"
            )
        return camera, f'calibrated, {"rectified" if rectified else info.distortion_model or "no distortion model"}'


def _rectification_matters(info: Any) -> bool:
    """Whether rays differ between the image as taken (K, D) and rectified (P, and R for their axes)."""
    K, P = np.reshape(info.k, (3, 3)), np.reshape(info.p, (3, 4))[:, :3]
    differ = not np.allclose(K, P, rtol=1e-3) or _rectifying_deg(info) >= _LEAST_RECTIFYING_DEG
    return bool(np.any(info.d)) or (P[0, 0] != 0 and differ)


def _rectifying_deg(info: Any) -> float:
    """Angle of R, from the raw camera's axes to the rectified camera's, degrees; 0 where the driver leaves R zero."""
    R = np.reshape(info.r, (3, 3))
    return float(geodesic_deg(np.eye(3), R)) if R.any() else 0.0
