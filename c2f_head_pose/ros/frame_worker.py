"""One image after the other: read, estimated, published, counted."""
from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np

from ..images import ImageError
from ..stages import StageClock
from . import messages
from .calibration import Calibration
from .components import Parts
from .depth_input import DepthInput, depth_from_message, depth_picture
from .frames import FrameError
from .image_converter import ImageConverter
from .log import Notices
from .neutral_services import NeutralServices
from .parameters import Parameters
from .statistics import Answer, Statistics

_REPEAT_S = 30.0
_FOREIGN_CLOCK_S = 60.0  # an image older or newer than this was not stamped by our clock


@dataclass
class Answering:
    """Answers images in the worker's thread, from activation to deactivation. Whatever an image is, it must not stop the node.

    Attributes:
        parts: model, outputs, mount.
        parameters: gives the set in force.
        calibration: the camera's.
        depth: beside the images; None without.
        neutral: what counts as straight.
        statistics: counts every image.
        notices: says what is wrong with them.
        topic: of the images, for messages.
        now_s: the node's clock, seconds.
        frame_id: of the last image answered.
        frame_problem: why the last image could not be brought into target_frame; empty if it could.
    """

    parts: Parts
    parameters: Callable[[], Parameters]
    calibration: Calibration
    depth: DepthInput | None
    neutral: NeutralServices
    statistics: Statistics
    notices: Notices
    topic: str
    now_s: Callable[[], float]
    frame_id: str = ''
    frame_problem: str = ''
    _last_stamp_s: float = 0.0
    _last_stamp_at_s: float = 0.0
    _size: tuple[int, int] | None = None
    _converter: ImageConverter = field(default_factory=ImageConverter)

    def answer(self, message: Any, depth_alone: bool) -> None:
        """Answers an image, or counts and says why it cannot.

        Args:
            message: sensor_msgs/Image or CompressedImage.
            depth_alone: it is a depth image.
        """
        try:
            answer = self._answer(message, depth_alone)
        except FrameError as error:
            self.frame_problem = str(error)
            self.statistics.count_drop('no transform')
            self.notices.throttled('transform', f'image not answered: {error}', _REPEAT_S)
        except ImageError as error:
            self.statistics.count_bad_image('bad image', str(error))
            self.notices.throttled('bad image', f'image on {self.topic} skipped: {error}')
        except Exception as error:  # the one place that keeps the node alive
            text = f'{type(error).__name__}: {error}'
            self.statistics.count_failure('estimator failed', text)
            self.notices.throttled('estimator', f'image not answered: {text}; if it goes on, report it with the image, or try device:=cpu',
                                   level='error')
        else:
            self.statistics.count_answer(answer)
            self._say_what_is_well_again(message.header)

    def _answer(self, message: Any, depth_alone: bool) -> Answer:
        header, parameters, stages = message.header, self.parameters(), StageClock()
        taken_s = self.now_s()
        image, depth_m = self._read(message, depth_alone)
        picture = partial(_picture, image, depth_m)
        pixels = depth_m if image is None else image
        assert pixels is not None
        height, width = pixels.shape[:2]
        self._watch_size((width, height))
        camera = self.calibration.camera(width, height, parameters.rectified)
        if depth_alone and camera is None:
            raise ImageError(f'heads are found in depth by their size in metres, which needs camera_info: {self.calibration.status}')
        stages.end('read')
        estimator, outputs, mount_source = self.parts.estimator, self.parts.outputs, self.parts.mount
        poses = estimator.estimate(image, camera=camera, depth_m=depth_m, stamp_s=self._usable_stamp(header))
        stages.add(estimator.stages)
        if len(poses) >= parameters.max_faces:
            self.notices.once('max_faces', f'{len(poses)} faces, as many as max_faces allows: any more are ignored; raise max_faces '
                              'to follow them', 'info')
        primary = messages.choose_primary(poses, parameters.primary_face, parameters.seat_region, (width, height))
        offset = self.neutral.update(header.frame_id, primary)
        mount = mount_source.mount(header) if mount_source is not None else None
        poses, primary = offset.of_poses(poses), primary and offset.of_poses([primary])[0]
        outputs.publish(header, poses, primary, parameters.publish_tf, mount, offset.R_turned_cam, (width, height), picture)
        published_s = self.now_s()
        stages.end('publish')
        outputs.publish_annotated(header, picture, poses, camera)
        stages.end('draw')
        return Answer(faces=len(poses), processing_ms=sum(stages.wall_ms.values()), age_ms=_since_ms(header, taken_s),
                      latency_ms=_since_ms(header, published_s), stage_ms=stages.wall_ms, stage_cpu_ms=stages.cpu_ms)

    def _read(self, message: Any, depth_alone: bool) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The picture of a message and the depth that goes with it; either may be None."""
        if depth_alone:
            return None, depth_from_message(message)
        image = self._converter.image(message)
        if self.depth is None:
            return image, None
        parameters = self.parameters()
        return image, self.depth.depth_m(message.header, image.shape[:2], parameters.depth_tolerance_s, parameters.depth_wait_s,
                                         parameters.silence_timeout_s)

    def _usable_stamp(self, header: Any) -> float | None:
        """The stamp to track and smooth by, in seconds; None if the image has none."""
        stamp_s = messages.stamp_s(header)
        if stamp_s == 0.0:
            self.notices.once('zero stamp', 'images have no stamp (0): each is answered by itself, without tracking or smoothing; '
                              'set header.stamp in the camera driver')
            return None
        if stamp_s < self._last_stamp_s:
            self.parts.estimator.reset()
            self.notices.once('time jump', f'stamps went back by {self._last_stamp_s - stamp_s:.3f} s: tracks and smoothing start anew; '
                              'normal for a recording that starts again, otherwise look for two publishers of the image topic')
        at_s = time.monotonic()
        ahead_s = stamp_s - self._last_stamp_s - (at_s - self._last_stamp_at_s)
        if self._last_stamp_s and ahead_s > _FOREIGN_CLOCK_S:
            self.parts.estimator.reset()
            self.notices.once('time jump ahead', f'stamps jumped forward by {ahead_s:.1f} s: tracks and smoothing start anew; normal '
                              "when the camera's clock is set, otherwise look for two publishers of the image topic")
        self._last_stamp_s, self._last_stamp_at_s = stamp_s, at_s
        return stamp_s

    def _watch_size(self, size: tuple[int, int]) -> None:
        """Starts tracking anew where the resolution changes: the old boxes are in other pixels."""
        if self._size not in (None, size):
            self.parts.estimator.reset()
            was, now = (f'{width}x{height}' for width, height in (self._size, size))
            self.notices.throttled('size', f'the resolution changed from {was} to {now}: tracks and smoothing start anew; '
                                   'if it goes on changing, look for two publishers of the image topic', _REPEAT_S)
        self._size = size

    def _say_what_is_well_again(self, header: Any) -> None:
        if self.frame_problem and self.notices.forget('transform'):
            self.notices.say('the transform to target_frame is known now')
        self.frame_id, self.frame_problem = header.frame_id, ''
        if not header.frame_id:
            self.notices.once('frame_id', 'images have no frame_id: TF and RViz cannot place the heads; '
                              'set header.frame_id in the camera driver')


def _picture(image: np.ndarray | None, depth_m: np.ndarray | None) -> np.ndarray:
    if image is not None:
        return image
    assert depth_m is not None
    return depth_picture(depth_m)


def _since_ms(header: Any, now_s: float) -> float | None:
    """Milliseconds since a stamp; None where it is not of this clock."""
    since_s = now_s - messages.stamp_s(header)
    return 1e3 * since_s if abs(since_s) < _FOREIGN_CLOCK_S else None
