"""Performs the plan's actions on the node, and checks its reactions."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from typing import Any

from lifecycle_msgs.msg import Transition
from lifecycle_msgs.srv import ChangeState
from rcl_interfaces.srv import SetParametersAtomically
from rclpy.parameter import Parameter
from rclpy.qos import QoSProfile
from sensor_msgs.msg import Image
from std_srvs.srv import SetBool, Trigger

from ....parameters import Parameters
from .camera import Account, Camera
from .plan import Event

_ANSWER_S = 30.0  # a service's; `configure` loads the models
_RECOVERY_S = 15.0
_SETTLED_S = 0.3

Steps = Generator[None, None, None]


class SoakError(Exception):
    """The node did not do what it should."""


@dataclass(frozen=True)
class Record:
    """An event as it went.

    Attributes:
        at_s: when it began, in seconds since the first start.
        action: the plan's action.
        seconds: the action's length, seconds.
        recovery_s: time between its end and the first answered image that was sent after it, seconds.
        problem: the fault; empty if there was none.
    """

    at_s: float
    action: str
    seconds: float
    recovery_s: float
    problem: str = ''


class Driver:
    """Goes through the plan a step at a time, so that the one thread that spins the executor also drives.

    Attributes:
        action: the present action; empty for none.
    """

    def __init__(self, node: Any, camera: Camera, account: Account, plan: Iterable[Event], keep: Callable[[Record], None]) -> None:
        """Creates the clients.

        Args:
            node: an rclpy node; the node under test is `head_pose` in its namespace.
            camera: the node's camera.
            account: counts the images.
            plan: the events, in order.
            keep: called with each event when it is over.
        """
        self.action = ''
        self._node = node
        self._camera = camera
        self._account = account
        self._keep = keep
        self._elapsed_s = 0.0
        self._clients = {
            name: node.create_client(kind, f'head_pose/{name}')
            for name, kind in (
                ('enable', SetBool),
                ('set_neutral', Trigger),
                ('clear_neutral', Trigger),
                ('change_state', ChangeState),
                ('set_parameters_atomically', SetParametersAtomically),
            )
        }
        self._actions: dict[str, Callable[[Event], Steps]] = {
            'camera lost': self._lose_camera,
            'camera replaced': self._replace_camera,
            'stamps go back': self._turn_back,
            'parameters changed': self._change_parameters,
            'parameters refused': self._offer_wrong_parameters,
            'disabled': self._disable,
            'deactivated': self._deactivate,
            'cleaned up': self._clean_up,
            'picture watched': self._watch_picture,
            'neutral set': self._set_neutral,
        }
        self._steps = self._play(plan)

    def step(self, elapsed_s: float) -> None:
        """Goes on as far as possible without waiting.

        Args:
            elapsed_s: since the first start.
        """
        self._elapsed_s = elapsed_s
        next(self._steps)

    def _play(self, plan: Iterable[Event]) -> Steps:
        for event in plan:
            while self._elapsed_s < event.at_s:
                yield
            self.action, self._account.undisturbed = event.action, False
            begun_s, recovery_s, problem = self._elapsed_s, float('nan'), ''
            try:
                yield from self._actions[event.action](event)
                recovery_s = yield from self._recover()
            except SoakError as error:
                problem = str(error)
            self._keep(Record(begun_s, event.action, self._elapsed_s - begun_s, recovery_s, problem))
            self.action, self._account.undisturbed = '', True

    # The actions.

    def _lose_camera(self, event: Event) -> Steps:
        self._camera.lost = True
        yield from self._for(event.hold_s)
        self._camera.lost = False

    def _replace_camera(self, event: Event) -> Steps:
        self._camera.unplug()
        yield from self._for(event.hold_s)
        self._camera.plug_in()

    def _turn_back(self, event: Event) -> Steps:
        self._camera.shift_s = -self._camera.length_s
        yield from self._for(event.hold_s)
        self._camera.shift_s = 0.0

    def _change_parameters(self, event: Event) -> Steps:
        yield from self._set_parameters(event.values, accepted=True)
        yield from self._for(event.hold_s)
        defaults = Parameters()
        yield from self._set_parameters({name: getattr(defaults, name) for name in event.values}, accepted=True)

    def _offer_wrong_parameters(self, event: Event) -> Steps:
        yield from self._set_parameters(event.values, accepted=False)

    def _disable(self, event: Event) -> Steps:
        yield from self._succeed('enable', SetBool.Request(data=False))
        yield from self._silent_for(event.hold_s)
        yield from self._succeed('enable', SetBool.Request(data=True))

    def _deactivate(self, event: Event) -> Steps:
        yield from self._change_state(Transition.TRANSITION_DEACTIVATE)
        yield from self._silent_for(event.hold_s)
        yield from self._change_state(Transition.TRANSITION_ACTIVATE)

    def _clean_up(self, event: Event) -> Steps:
        yield from self._change_state(Transition.TRANSITION_DEACTIVATE, Transition.TRANSITION_CLEANUP)
        yield from self._silent_for(event.hold_s)
        yield from self._change_state(Transition.TRANSITION_CONFIGURE, Transition.TRANSITION_ACTIVATE)

    def _watch_picture(self, event: Event) -> Steps:
        pictures: list[int] = []
        subscription = self._node.create_subscription(
            Image, 'head_pose/image_annotated', lambda m: pictures.append(m.width), QoSProfile(depth=1)
        )
        try:
            yield from self._for(event.hold_s)
            yield from self._until(lambda: pictures, _RECOVERY_S, 'an annotated image')
        finally:
            self._node.destroy_subscription(subscription)

    def _set_neutral(self, event: Event) -> Steps:
        yield from self._call('set_neutral', Trigger.Request())  # may be refused: there may be no steady face just now
        yield from self._for(event.hold_s)
        yield from self._succeed('clear_neutral', Trigger.Request())

    # What they are made of.

    def _set_parameters(self, values: dict[str, Any], accepted: bool) -> Steps:
        parameters = [Parameter(name, value=list(value) if isinstance(value, tuple) else value) for name, value in values.items()]
        request = SetParametersAtomically.Request(parameters=[parameter.to_parameter_msg() for parameter in parameters])
        result = (yield from self._call('set_parameters_atomically', request)).result
        if result.successful is not accepted:
            raise SoakError(f'{values} was {"accepted" if result.successful else f"refused: {result.reason}"}')

    def _change_state(self, *transitions: int) -> Steps:
        for transition in transitions:
            yield from self._succeed('change_state', ChangeState.Request(transition=Transition(id=transition)))

    def _succeed(self, name: str, request: Any) -> Steps:
        response = yield from self._call(name, request)
        if not response.success:
            raise SoakError(f'{name} {request} was refused: {getattr(response, "message", "no reason given")}')

    def _call(self, name: str, request: Any) -> Generator[None, None, Any]:
        client = self._clients[name]
        yield from self._until(client.service_is_ready, _ANSWER_S, f'the service {name}')
        future = client.call_async(request)
        try:
            yield from self._until(future.done, _ANSWER_S, f'an answer of {name}')
        except SoakError:
            client.remove_pending_request(future)
            raise
        return future.result()

    def _silent_for(self, seconds: float) -> Steps:
        """Waits; what is sent in that time must not be answered."""
        settled_s = time.monotonic() + _SETTLED_S
        yield from self._for(seconds)
        if self._account.newest_answered_s > settled_s:
            raise SoakError('images were answered all the same')

    def _recover(self) -> Generator[None, None, float]:
        """Waits until an image that is sent from now on is answered; returns the seconds it took."""
        start_s = time.monotonic()
        yield from self._until(lambda: self._account.newest_answered_s > start_s, _RECOVERY_S, 'an answer afterwards')
        return time.monotonic() - start_s

    def _for(self, seconds: float) -> Steps:
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            yield

    def _until(self, condition: Callable[[], Any], deadline_s: float, what: str) -> Steps:
        end_s = time.monotonic() + deadline_s
        while not condition():
            if time.monotonic() > end_s:
                raise SoakError(f'waited {deadline_s:g} s in vain for {what}')
            yield
