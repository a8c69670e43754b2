"""Videos, webcams and streams as frames with their time stamps."""

from __future__ import annotations

import os
import re
import statistics
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from .containers import missing_part
from .paths import shown_path, utf8_path

_USUAL_FPS = 30.0
_HIGHEST_FPS = 240.0
"""Above it the container's clock is taken for the rate: for stamps that jitter FFmpeg states 1000, the clock of Matroska and WebM."""
_OPEN_TIMEOUT_MS = 10_000
_MISSING_S = 1.0
_MISSING_SHARE = 0.25
_LAST_INTERVALS = 15


def camera_number(source: str) -> int | None:
    """The number of a webcam that is named by it, or by its device file: '0', '/dev/video0' or '/dev/v4l/by-id/...'."""
    if source.startswith('/dev/'):
        source = os.path.realpath(source)
    found = re.fullmatch(r'(?:/dev/video)?(\d{1,4})', source)
    return int(found[1]) if found else None


def is_address(source: str) -> bool:
    """Whether an input is an address, such as rtsp://... or http://..."""
    return re.match(r'[a-zA-Z][a-zA-Z0-9+.-]+://', source) is not None


def without_password(source: str) -> str:
    """An address as it may be shown and stored: without user and password."""
    return re.sub(r'(?<=://)[^/?#]*@', '', source) if is_address(source) else source


class Video:
    """An opened video file, webcam or stream.

    Attributes:
        fps: frames a second as the container states them; 30 for live sources and where it states none.
        problem: after the last frame, why the video is not complete; empty where it is.
    """

    def __init__(self, source: Path | str) -> None:
        """Opens it.

        Args:
            source: path of a file; or as text the number or device file of a webcam, or an address.

        Raises:
            ValueError: for a file, webcam or address that cannot be opened, with what to check, or a file whose name is not UTF-8. A file
                that is no video has no frames.
        """
        name = utf8_path(source)
        if isinstance(source, Path):
            _check_file(source)
        self._video = cv2.VideoCapture(name) if isinstance(source, Path) else _opened(name)
        self._path = source if isinstance(source, Path) else None
        count, fps = (self._video.get(number) for number in (cv2.CAP_PROP_FRAME_COUNT, cv2.CAP_PROP_FPS))
        counted = 1 < count < 1e9
        self._live = not isinstance(source, Path) and not (is_address(source) and counted)  # behind an address may be a file
        self.fps = fps if 1 <= fps <= _HIGHEST_FPS and not self._live else _USUAL_FPS
        self._announced_s = count / (fps if fps >= 1 else _USUAL_FPS) if counted and not self._live else 0.0
        self.problem = ''

    def frames(self) -> Iterator[tuple[np.ndarray, float]]:
        """The images, (H, W, 3) BGR uint8, each with its stamp.

        The stamp is the container's, in seconds from the video's start; of a live source the time of arrival since the first image.
        Containers without stamps, and the last frames in OpenCV before 4.7, give none: such a frame follows the one before by the
        usual interval. The video is closed at the end.
        """
        number, stamp_s, start_s = 0, 0.0, 0.0
        intervals: deque[float] = deque([1 / self.fps], maxlen=_LAST_INTERVALS)
        try:
            while True:
                read, image = self._video.read()
                if not read:
                    break
                now_s = time.monotonic()
                if self._live:
                    start_s = start_s or now_s
                    stamp_s = now_s - start_s
                else:
                    given_s = 1e-3 * self._video.get(cv2.CAP_PROP_POS_MSEC)
                    if number and not given_s > stamp_s:
                        given_s = stamp_s + statistics.median(intervals)
                    if number:
                        intervals.append(given_s - stamp_s)
                    stamp_s = max(given_s, 0.0)
                yield image, stamp_s
                number += 1
        finally:
            self._video.release()
        self.problem = self._problem(number, stamp_s + statistics.median(intervals))

    def _problem(self, number: int, end_s: float) -> str:
        if self._live:
            return '' if number else 'gave no image'
        missing = missing_part(self._path) if self._path is not None else None
        if number == 0:
            return 'cannot be read as a picture or video' + (f': {missing}' if missing else '')
        lasts = f' of {self._announced_s:.1f} s' if self._announced_s else ''
        short_s = self._announced_s - end_s
        if missing is None and short_s > max(_MISSING_S, _MISSING_SHARE * self._announced_s):
            missing = 'the rest cannot be decoded'
        return f'is not complete ({missing}): frames read: {number}, {end_s:.1f} s{lasts}' if missing else ''


def _check_file(path: Path) -> None:
    """Raises ValueError for a file that cannot be opened; OpenCV would give no frames."""
    try:
        path.open('rb').close()
    except OSError as error:
        raise ValueError(f'{shown_path(path)} cannot be opened: {error.strerror or error}') from error


def _opened(source: str) -> cv2.VideoCapture:
    number = camera_number(source)
    if number is not None:
        video = cv2.VideoCapture(number)
        if not video.isOpened():
            raise ValueError(
                f'webcam {number} cannot be opened: check that it is plugged in (/dev/video{number}), that no other program '
                'uses it, and that you may read it (on Linux: group video)'
            )
        return video
    if is_address(source):
        video = cv2.VideoCapture(source, cv2.CAP_FFMPEG, [cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, _OPEN_TIMEOUT_MS])
        if not video.isOpened():
            raise ValueError(
                f'{without_password(source)} cannot be opened within {_OPEN_TIMEOUT_MS // 1000} s: check the address, '
                'user and password in it, that the camera is on and that this machine reaches it'
            )
        return video
    raise ValueError(f'{source!r} is no webcam and no address; if it is a file, give Path({source!r})')
