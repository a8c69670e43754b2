"""Provides the services `~/set_neutral` and `~/clear_neutral`, and holds the neutral in force."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from std_srvs.srv import Trigger

from ..types import HeadPose
from . import neutral
from .log import Notices
from .neutral import Neutral, NeutralError, NeutralLearner
from .parameters import Parameters


class NeutralServices:
    """Keeps one camera's neutral. Images are answered in the worker's thread, services in the executor's."""

    def __init__(self, node: Any, notices: Notices, parameters: Callable[[], Parameters]) -> None:
        """Creates the services.

        Args:
            node: the rclpy node.
            notices: log for the origin of a neutral, or the reason why there is none.
            parameters: returns the set in force.
        """
        self._node = node
        self._notices = notices
        self._parameters = parameters
        self._learner = NeutralLearner()
        self._neutral = neutral.NONE
        self._camera: str | None = None
        self._services = [
            node.create_service(Trigger, '~/set_neutral', self._set),
            node.create_service(Trigger, '~/clear_neutral', self._clear),
        ]

    def start(self) -> None:
        """Forgets what was seen; the file is read again with the next image."""
        self._learner.forget()
        self._camera = None

    def update(self, frame_id: str, primary: HeadPose | None) -> Neutral:
        """Returns the neutral of a camera, which is read from its file first; keeps the image's primary face to learn from."""
        self._learner.add(time.monotonic(), primary)
        if frame_id != self._camera:
            self._camera, self._neutral = frame_id, neutral.NONE
            try:
                found = neutral.load(self._path)
            except NeutralError as error:
                self._notices.once('neutral', f'no neutral: {error}')
            else:
                if found is not None:
                    self._neutral = found
                    self._notices.say(f'neutral of the {found.kind} taken from {self._path}')
        return self._neutral

    @property
    def _path(self) -> Path:
        return neutral.neutral_path(self._parameters().neutral_folder, self._node.get_fully_qualified_name(), self._camera or '')

    def _set(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        parameters = self._parameters()
        try:
            learned = self._learner.learn(parameters.neutral, time.monotonic(), parameters.neutral_window_s)
        except NeutralError as error:
            response.success, response.message = False, str(error)
            return response
        self._neutral = learned
        try:
            neutral.save(self._path, learned, self._camera or '')
            response.success, response.message = True, f'neutral of the {learned.kind} learned and kept in {self._path}'
        except NeutralError as error:
            response.success, response.message = False, f'neutral of the {learned.kind} learned, but lost at the next start: {error}'
            self._notices.say(response.message, 'warning')
        return response

    def _clear(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._camera is None:  # each camera has a file of its own, and the first image names the camera
            response.success, response.message = False, 'no image yet, so it is not known whose neutral: call again when images come'
            return response
        self._neutral = neutral.NONE
        try:
            neutral.clear(self._path)
            response.success, response.message = True, 'no neutral any more: orientations are as estimated'
        except NeutralError as error:
            response.success, response.message = False, f'no neutral until the next start, then it is back: {error}'
        return response
