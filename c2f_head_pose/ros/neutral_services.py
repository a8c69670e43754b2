"""Provides the services `~/set_neutral` and `~/clear_neutral`, and holds the neutrals by frame."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from std_srvs.srv import Trigger

from ..parameters import ParameterError, Parameters
from ..types import HeadPose
from . import neutral
from .log import Notices
from .neutral import Neutral, NeutralError, NeutralLearner


class NeutralServices:
    """Keeps a neutral for each frame; one of the person holds in frames that have none, since it belongs to the head.

    One of the person corrects one face: the primary one once it is learned or read, as long as that is followed, then the next primary one.
    Images are answered in the worker's thread, services in the executor's.
    """

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
        self._neutrals: dict[str, Neutral] = {}  # by frame, the newest last
        self._camera: str | None = None
        self._person_id: int | None = None
        self._services = [
            node.create_service(Trigger, '~/set_neutral', self._set),
            node.create_service(Trigger, '~/clear_neutral', self._clear),
        ]

    def check(self) -> None:
        """Refuses a neutral_folder that cannot be found. A user without one and without a home folder has no neutrals stored.

        Raises:
            ParameterError: naming the folder and the remedy.
        """
        if folder := self._parameters().neutral_folder:
            neutral.chosen_folder(folder, ParameterError)

    def start(self) -> None:
        """Forgets what was seen; the file is read again with the next image."""
        self._learner.forget()
        self._neutrals.clear()
        self._camera = self._person_id = None

    def update(
        self, frame_id: str, poses: Sequence[HeadPose], primary: HeadPose | None, follows: Callable[[int], bool]
    ) -> tuple[Neutral, HeadPose | None]:
        """Keeps an image's primary face to learn from; a camera's neutral is read from its file first.

        Args:
            frame_id: frame of the image.
            poses: all faces, as they were estimated.
            primary: one of them; None for none.
            follows: says of a track whether it is still followed, seen in the last image or not.

        Returns:
            The camera's neutral, and the face that it corrects if it is the person's; None if that is not in this image.
        """
        self._learner.add(time.monotonic(), primary)
        if frame_id != self._camera:
            self._camera = frame_id
            if frame_id not in self._neutrals:
                self._load(frame_id)
        person_id = self._person_id
        if primary is not None and (person_id is None or not follows(person_id)):
            self._person_id = person_id = primary.track_id
        person = primary if person_id is None else next((pose for pose in poses if pose.track_id == person_id), None)
        return self._neutrals.get(frame_id) or next(reversed(self._of_the_person().values()), neutral.NONE), person

    def _load(self, frame_id: str) -> None:
        try:
            path = self._path(frame_id)
            found = neutral.load(path)
        except NeutralError as error:
            self._notices.once('neutral', f'no neutral: {error}')
            return
        if found is not None:
            self._neutrals[frame_id], self._person_id = found, None
            self._notices.say(f'neutral of the {found.kind} taken from {path}')
        elif self._of_the_person():
            self._notices.once('neutral elsewhere', f'frame {frame_id} has no neutral: that of the person from another frame holds', 'info')

    def _of_the_person(self) -> dict[str, Neutral]:
        return {frame_id: held for frame_id, held in list(self._neutrals.items()) if held.kind == 'person'}

    def _path(self, frame_id: str) -> Path:
        return neutral.neutral_path(self._parameters().neutral_folder, self._node.get_fully_qualified_name(), frame_id)

    def _set(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        parameters = self._parameters()
        try:
            learned = self._learner.learn(parameters.neutral, time.monotonic(), parameters.neutral_window_s, parameters.image_rotation)
        except NeutralError as error:
            response.success, response.message = False, str(error)
            return response
        camera = self._camera or ''
        self._neutrals.pop(camera, None)
        self._neutrals[camera], self._person_id = learned, None
        try:
            path = self._path(camera)
            neutral.save(path, learned, camera)
            response.success, response.message = True, f'neutral of the {learned.kind} learned and kept in {path}'
        except NeutralError as error:
            response.success, response.message = False, f'neutral of the {learned.kind} learned, but lost at the next start: {error}'
            self._notices.say(response.message, 'warning')
        return response

    def _clear(self, _: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        if self._camera is None:  # each camera has a file of its own, and the first image names the camera
            response.success, response.message = False, 'no image yet, so it is not known whose neutral: call again when images come'
            return response
        frames = {self._camera, *self._of_the_person()}
        for frame_id in frames:
            self._neutrals.pop(frame_id, None)
        try:
            for frame_id in frames:
                neutral.clear(self._path(frame_id))
            response.success, response.message = True, 'no neutral any more: orientations are as estimated'
        except NeutralError as error:
            response.success, response.message = False, f'no neutral until the next start, then it is back: {error}'
        return response
