"""Implements the lifecycle node `head_pose`, which estimates head poses in images."""

from __future__ import annotations

from . import needs_ros  # noqa: F401 isort: skip, before anything that imports rclpy

import sys
from typing import Any

from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from std_srvs.srv import SetBool

from ..memory import give_back_memory
from ..parameters import Parameters
from . import process as running
from .components import Parts, make_parts
from .declaration import DeclaredParameters
from .diagnostics import State, diagnostic_array
from .log import Notices
from .neutral_services import NeutralServices
from .session import Session, SessionError

_HELP = """usage: head_pose_node [--ros-args -p NAME:=VALUE ... --params-file FILE -r NAME:=TOPIC ...]

The lifecycle node `head_pose`: reads images, publishes head poses. It configures and activates itself (autostart).
Parameters: docs/parameters.md, or `python -m c2f_head_pose.ros.parameters --markdown`; topics: docs/ros.md."""
_WATCH_PERIOD_S = 0.25
_DIAGNOSTICS_PERIOD_S = 1.0
_REPEAT_S = 30.0
_END_S = 2.0
"""How long the end of the process waits for the image in progress, seconds; launch ends it by SIGTERM five seconds after SIGINT."""


class HeadPoseNode(LifecycleNode):
    """Answers each image of `image` with the head poses in it, under the image's own stamp and frame.

    Configuring makes the parts (model, outputs), activating begins a session, which listens and answers; deactivating ends it, so
    that nothing is published after.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Declares the parameters; loads nothing.

        Args:
            **kwargs: for rclpy's LifecycleNode, such as namespace or parameter_overrides.
        """
        super().__init__('head_pose', **kwargs)
        self._notices = Notices(self.get_logger())
        self._parts: Parts | None = None
        self._session: Session | None = None
        self._active = False
        self._enabled = True
        self._failure = ''
        self._shut_down = False
        self._declared = DeclaredParameters(self, self._apply_parameters, Parameters)
        self._neutral = NeutralServices(self, self._notices, self._in_force)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._enable = self.create_service(SetBool, '~/enable', self._on_enable)
        # A steady clock, because under use_sim_time without a /clock the node must still log why no image arrives.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timers_own = [
            self.create_timer(_WATCH_PERIOD_S, self._watch, clock=steady),
            self.create_timer(_DIAGNOSTICS_PERIOD_S, self._publish_diagnostics, clock=steady),
        ]

    def bring_up(self) -> bool:
        """Configures and activates, unless the parameter autostart is false; returns False if one of these fails."""
        if not self._in_force().autostart:
            self.get_logger().info(
                f'waiting for a lifecycle manager (autostart is false): ros2 lifecycle set {self._name()} configure, then activate'
            )
            return True
        return self.trigger_configure() == TransitionCallbackReturn.SUCCESS and self.trigger_activate() == TransitionCallbackReturn.SUCCESS

    # Lifecycle. rclpy suppresses exceptions in these callbacks, so they are caught and logged here.

    def on_configure(self, state: Any) -> TransitionCallbackReturn:
        """Loads the model and creates the outputs; if that fails, logs the reason and stays unconfigured."""
        try:
            self._declared.check()
            self._neutral.check()
            self._parts = make_parts(self, self._in_force(), self._notices)
        except Exception as error:
            self._failure = str(error) if isinstance(error, ValueError) else f'{type(error).__name__}: {error}'
            self._notices.throttled('configure', f'not configured: {self._failure}', 0.0, 'error')
            return TransitionCallbackReturn.FAILURE
        self._failure = ''
        self.get_logger().info(f'model {self._parts.estimator.model_name} on {self._parts.estimator.device}')
        return super().on_configure(state)

    def on_activate(self, state: Any) -> TransitionCallbackReturn:
        """Subscribes to the images."""
        result = super().on_activate(state)
        self._active = True
        if not self._begin_session():
            self.on_deactivate(state)
            return TransitionCallbackReturn.FAILURE
        return result

    def on_deactivate(self, state: Any) -> TransitionCallbackReturn:
        """Unsubscribes, and clears what was published."""
        self._active = False
        self._end_session()
        return super().on_deactivate(state)

    def on_cleanup(self, state: Any) -> TransitionCallbackReturn:
        """Frees the model and removes the outputs."""
        result = super().on_cleanup(state)
        self._release()
        give_back_memory()
        return result

    def on_shutdown(self, state: Any) -> TransitionCallbackReturn:
        """Stops and frees everything, from any state, for good."""
        result = self._stop(state, _END_S)
        self._shut_down, self._failure = True, ''
        return result

    def on_error(self, state: Any) -> TransitionCallbackReturn:
        """Frees everything, so that configure can be tried again."""
        return self._stop(state)

    def _stop(self, state: Any, limit_s: float | None = None) -> TransitionCallbackReturn:
        self._active = False
        self._end_session(limit_s)
        result = super().on_shutdown(state)
        self._release()
        return result

    def destroy_node(self) -> None:
        """Clears what was published and frees everything in any state; the process ends with it."""
        self._active = False
        self._end_session(_END_S)
        self._release()
        super().destroy_node()

    def _begin_session(self) -> bool:
        """Subscribes, if enabled; if that fails, logs the reason and returns False."""
        if not self._enabled or self._parts is None:
            return True
        try:
            self._session = Session(self, self._parts, self._neutral, self._notices, self._in_force)
        except SessionError as error:
            self._notices.say(str(error), 'error')
        return self._session is not None

    def _end_session(self, limit_s: float | None = None) -> None:
        session, self._session = self._session, None  # cleared before closing, so that an error in close does not repeat
        if session is not None:
            session.close(limit_s)

    def _release(self) -> None:
        parts, self._parts = self._parts, None
        if parts is not None:
            parts.destroy()

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success = True
        if request.data != self._enabled:
            self._enabled = request.data
            if self._active and self._enabled:
                response.success = self._enabled = self._begin_session()
            elif self._active:
                self._end_session()
        response.message = ('enabled' if self._enabled else 'disabled') + ('' if self._active else '; takes effect once the node is active')
        return response

    # Parameters and health.

    def _in_force(self) -> Parameters:
        """The set in force."""
        return self._declared.parameters

    def _apply_parameters(self) -> None:
        if self._parts is not None:
            self._parts.estimator.options = self._in_force().estimator_options(self._parts.estimator.options)

    @property
    def configured(self) -> bool:
        """Whether a model is loaded, which fixes some parameters."""
        return self._parts is not None

    def _watch(self) -> None:
        if self._session is not None:
            self._session.watch()
        elif self._failure:
            self._notices.throttled(
                'configure', f'still not configured: {self._failure}; then ros2 lifecycle set {self._name()} configure', _REPEAT_S, 'error'
            )

    def _state(self) -> tuple[State, str]:
        if self._shut_down:
            return State.FINALIZED, 'it cannot be configured any more; end the process and start it again'
        if self._parts is None:
            return (State.CONFIGURE_FAILED, self._failure) if self._failure else (State.UNCONFIGURED, '')
        if self._session is not None:
            return self._session.state()
        return (State.DISABLED if self._active else State.INACTIVE), ''

    def _publish_diagnostics(self) -> None:
        session, frame_id, values = self._session, '', {'model': self._in_force().model}
        if self._parts is not None:
            values = {'model': self._parts.estimator.model_name, 'device': self._parts.estimator.device}
        if session is not None:
            frame_id, values = session.frame_id, values | session.values()
        now: Time = self.get_clock().now().to_msg()
        self._diagnostics.publish(diagnostic_array(now, self._name(), frame_id, *self._state(), values))

    def _name(self) -> str:
        return self.get_fully_qualified_name()


def main(args: list[str] | None = None) -> int:
    """Runs the node until SIGINT or SIGTERM; returns the process's exit status."""
    return running.run(HeadPoseNode, HeadPoseNode.bring_up, args, about=_HELP)


if __name__ == '__main__':
    sys.exit(main())
