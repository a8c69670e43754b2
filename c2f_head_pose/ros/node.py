"""The lifecycle node `head_pose`: images in, head poses out."""
from __future__ import annotations

from . import needs_ros  # noqa: F401 isort: skip, before anything that imports rclpy

import sys
import time
from typing import Any

import numpy as np
from builtin_interfaces.msg import Time
from diagnostic_msgs.msg import DiagnosticArray
from rclpy.clock import Clock, ClockType
from rclpy.lifecycle import LifecycleNode, TransitionCallbackReturn
from sensor_msgs.msg import CameraInfo, CompressedImage
from std_srvs.srv import SetBool

from ..estimator import HeadPoseEstimator
from ..images import ImageError, image_from_compressed, image_from_message
from . import loading, messages, running
from .calibration import UNCORRECTED, Calibration
from .declaration import DeclaredParameters
from .depth_input import DepthInput, depth_from_message, depth_picture
from .diagnostics import State, diagnostic_array
from .frames import FixedMount, FrameError, TfMount, mount_source
from .humans import FaceNames
from .inputs import Input, Inputs, depth_input, image_input, type_name
from .mailbox import NewestWorker
from .neutral_services import NeutralServices
from .notices import Notices
from .outputs import Outputs
from .silence import explain_silence
from .statistics import OVERTAKEN, Answer, Statistics
from .surroundings import Surroundings

_WATCH_PERIOD_S = 0.25
_DIAGNOSTICS_PERIOD_S = 1.0
_REPEAT_S = 30.0
_FOREIGN_CLOCK_S = 60.0  # an image older or newer than this was not stamped by our clock


class HeadPoseNode(LifecycleNode):
    """Answers each image of `image` with the head poses in it, under the image's own stamp and frame.

    One worker thread estimates and publishes; the executor's thread only hands it the newest image. The lifecycle's
    transitions start and stop the worker, so nothing is published after a deactivation.
    """

    def __init__(self, **kwargs: Any) -> None:
        """Declares the parameters; loads nothing.

        Args:
            **kwargs: for rclpy's LifecycleNode, such as namespace or parameter_overrides.
        """
        super().__init__('head_pose', **kwargs)
        self._notices = Notices(self.get_logger())
        self._statistics = Statistics()
        self._calibration = Calibration(self._notices)
        self._estimator: HeadPoseEstimator | None = None
        self._outputs: Outputs | None = None
        self._worker: NewestWorker | None = None
        self._inputs = Inputs(self, lambda: self._watch_silence(at_once=True))
        self._images_in: Input | None = None
        self._depth: DepthInput | None = None
        self._active = False
        self._enabled = True
        self._listening_since_s = 0.0
        self._failure = ''
        self._silence = ''
        self._last_stamp_s = self._last_stamp_at_s = 0.0
        self._size: tuple[int, int] | None = None
        self._surroundings = Surroundings(self, self._notices)
        self._frame_id = ''
        self._idle = False
        self._frame_problem = ''
        self._mount: FixedMount | TfMount | None = None
        self._declared = DeclaredParameters(self, self._apply_parameters)
        self._diagnostics = self.create_publisher(DiagnosticArray, '/diagnostics', 10)
        self._enable = self.create_service(SetBool, '~/enable', self._on_enable)
        self._neutral = NeutralServices(self, self._notices, lambda: self._declared.parameters)
        # Steady: under use_sim_time without a /clock the node must still say why nothing comes.
        steady = Clock(clock_type=ClockType.STEADY_TIME)
        self._timers_own = [self.create_timer(_WATCH_PERIOD_S, self._watch, clock=steady),
                            self.create_timer(_DIAGNOSTICS_PERIOD_S, self._publish_diagnostics, clock=steady)]

    def bring_up(self) -> bool:
        """Configures and activates, unless the parameter autostart is false; returns whether all that was asked went well."""
        if not self._declared.parameters.autostart:
            self.get_logger().info('waiting for a lifecycle manager (autostart is false): '
                                   f'ros2 lifecycle set {self._name()} configure, then activate')
            return True
        return (self.trigger_configure() == TransitionCallbackReturn.SUCCESS
                and self.trigger_activate() == TransitionCallbackReturn.SUCCESS)

    # Lifecycle. rclpy swallows exceptions of these, so they are caught and said here.

    def on_configure(self, state: Any) -> TransitionCallbackReturn:
        """Loads the model and creates the outputs; stays unconfigured, with the reason said, if it cannot."""
        try:
            self._declared.check()
            parameters = self._declared.parameters
            self._estimator = loading.load_estimator(parameters, self._notices)
            names = FaceNames(parameters.hri_announce_after, parameters.hri_drop_after) if parameters.hri else None
            self._mount = mount_source(self, parameters)
            self._outputs = Outputs(self, self._notices, names)
        except Exception as error:
            self._failure = str(error) if isinstance(error, ValueError) else f'{type(error).__name__}: {error}'
            self._notices.throttled('configure', f'not configured: {self._failure}', 0.0, 'error')
            self._release()
            return TransitionCallbackReturn.FAILURE
        self._failure = ''
        self.get_logger().info(f'model {self._estimator.model_name} on {self._estimator.device}')
        return super().on_configure(state)

    def on_activate(self, state: Any) -> TransitionCallbackReturn:
        """Subscribes to the images."""
        result = super().on_activate(state)
        self._active = True
        if not self._listen():
            self.on_deactivate(state)
            return TransitionCallbackReturn.FAILURE
        return result

    def on_deactivate(self, state: Any) -> TransitionCallbackReturn:
        """Unsubscribes, and takes back what was published."""
        self._active = False
        self._stop_listening()
        return super().on_deactivate(state)

    def on_cleanup(self, state: Any) -> TransitionCallbackReturn:
        """Frees the model and removes the outputs."""
        result = super().on_cleanup(state)
        self._release()
        return result

    def on_shutdown(self, state: Any) -> TransitionCallbackReturn:
        """Stops and frees everything, from any state."""
        self._active = False
        self._stop_listening()
        result = super().on_shutdown(state)
        self._release()
        return result

    def on_error(self, state: Any) -> TransitionCallbackReturn:
        """Frees everything, so that configure can be tried again."""
        return self.on_shutdown(state)

    def destroy_node(self) -> None:
        """Takes back what was published and frees everything, in whatever state; also how the process ends."""
        self._active = False
        self._stop_listening()
        self._release()
        super().destroy_node()

    def _release(self) -> None:
        if self._outputs is not None:
            self._outputs.destroy()
        if self._mount is not None:
            self._mount.destroy()
        self._outputs = self._estimator = self._mount = None

    # Inputs.

    def _listen(self) -> bool:
        """Starts the worker and subscribes, if enabled; returns False, with the reason said, if it cannot."""
        if not self._enabled:
            return True
        self._statistics = Statistics()
        self._calibration = Calibration(self._notices)
        self._notices.forget_all()
        self._silence, self._last_stamp_s, self._size = '', 0.0, None
        self._idle, self._frame_problem = False, ''
        self._neutral.start()
        self._listening_since_s = time.monotonic()
        self._estimator.reset()
        self._worker = NewestWorker(self._answer, 'head_pose')
        try:
            self._subscribe()
        except Exception as error:  # what the middleware refuses, such as another type on the same topic
            self._notices.say(f'cannot subscribe to {self._image_topic()} and camera_info: {type(error).__name__}: {error}', 'error')
            self._stop_listening()
            return False
        return True

    def _subscribe(self) -> None:
        parameters = self._declared.parameters
        self._images_in = self._inputs.add(*self._main_input(), self._on_image)
        self._inputs.add(CameraInfo, self.resolve_topic_name('camera_info'), self._calibration.update)
        if parameters.modality == 'rgbd':
            message_type, topic = depth_input(self, parameters.depth_transport == 'compressedDepth')
            self._depth = DepthInput(self._notices, topic)
            self._inputs.add(message_type, topic, self._on_depth)

    def _stop_listening(self) -> None:
        self._inputs.clear()
        if self._worker is not None:
            self._worker.close()
            self._worker = None
        self._depth = None
        if self._outputs is not None:
            self._outputs.clear()

    def _main_input(self) -> tuple[Any, str]:
        """Message class and topic of what is answered: images, or depth alone."""
        parameters = self._declared.parameters
        if parameters.modality == 'depth':
            return depth_input(self, parameters.depth_transport == 'compressedDepth')
        return image_input(self, parameters.image_transport == 'compressed')

    def _image_topic(self) -> str:
        return self._main_input()[1]

    def _on_image(self, message: Any) -> None:
        self._statistics.count_image()
        if self._silence:
            self._notices.forget('silence')
            self._notices.say(f'images arrive on {self._image_topic()}')
            self._silence = ''
        self._idle = self._declared.parameters.lazy and not self._read_by_somebody()
        if not self._idle and self._worker is not None and self._worker.put((message, self._declared.parameters.modality == 'depth')):
            self._statistics.count_drop(OVERTAKEN)

    def _on_depth(self, message: Any) -> None:
        """Depth beside the images; answered by itself while images have stopped."""
        self._depth.put(message)
        if self._silence and self._estimator.reads_depth and self._worker is not None:
            self._idle = self._declared.parameters.lazy and not self._read_by_somebody()
            if not self._idle:
                self._worker.put((message, True))

    def _read_by_somebody(self) -> bool:
        own = isinstance(self._mount, TfMount)
        return self._outputs.listeners > 0 or (self._declared.parameters.publish_tf and self._outputs.tf_listeners > own)

    def _on_enable(self, request: SetBool.Request, response: SetBool.Response) -> SetBool.Response:
        response.success = True
        if request.data != self._enabled:
            self._enabled = request.data
            if self._active and self._enabled:
                response.success = self._enabled = self._listen()
            elif self._active:
                self._stop_listening()
        response.message = ('enabled' if self._enabled else 'disabled') + ('' if self._active else '; takes effect once the node is active')
        return response

    # One image, in the worker's thread. Whatever it is, it must not stop the node.

    def _answer(self, work: tuple[Any, bool]) -> None:
        message, depth_alone = work
        start = time.perf_counter()
        header, parameters = message.header, self._declared.parameters
        try:
            image, depth_m = self._read(message, depth_alone)
            height, width = (depth_m if image is None else image).shape[:2]
            self._watch_size((width, height))
            camera = self._calibration.camera(width, height, parameters.rectified)
            if depth_alone and camera is None:
                raise ImageError(f'heads are found in depth by their size in metres, which needs camera_info: {self._calibration.status}')
            poses = self._estimator.estimate(image, camera=camera, depth_m=depth_m, stamp_s=self._usable_stamp(header))
            if len(poses) >= parameters.max_faces:
                self._notices.once('max_faces', f'{len(poses)} faces, as many as max_faces allows: any more are ignored; raise max_faces '
                                   'to follow them', 'info')
            primary = messages.choose_primary(poses, parameters.primary_face, parameters.seat_region, (width, height))
            offset = self._neutral.update(header.frame_id, primary)
            mount = self._mount.mount(header) if self._mount is not None else None
            poses, primary = offset.of_poses(poses), primary and offset.of_poses([primary])[0]
            self._outputs.publish(header, poses, primary, parameters.publish_tf, mount, offset.R_turned_cam, image)
            published = self.get_clock().now().nanoseconds * 1e-9
            self._outputs.publish_annotated(header, image if image is not None else depth_picture(depth_m), poses, camera)
        except FrameError as error:
            self._statistics.count_drop('no transform')
            self._frame_problem = str(error)
            self._notices.throttled('transform', f'image not answered: {error}', _REPEAT_S)
            return
        except ImageError as error:
            self._statistics.count_bad_image('bad image', str(error))
            self._notices.throttled('bad image', f'image on {self._image_topic()} skipped: {error}')
            return
        except Exception as error:  # the one place that keeps the node alive
            text = f'{type(error).__name__}: {error}'
            self._statistics.count_failure('estimator failed', text)
            self._notices.throttled('estimator', f'image not answered: {text}; if it goes on, report it with the image, or try device:=cpu',
                                    level='error')
            return
        if self._frame_problem and self._notices.forget('transform'):
            self._notices.say('the transform to target_frame is known now')
        self._frame_id, self._frame_problem = header.frame_id, ''
        if not header.frame_id:
            self._notices.once('frame_id', 'images have no frame_id: TF and RViz cannot place the heads; '
                               'set header.frame_id in the camera driver')
        latency_s = published - messages.stamp_s(header)
        self._statistics.count_answer(Answer(
            faces=len(poses), processing_ms=1e3 * (time.perf_counter() - start),
            latency_ms=1e3 * latency_s if abs(latency_s) < _FOREIGN_CLOCK_S else None, stage_ms=dict(self._estimator.stage_ms)))

    def _read(self, message: Any, depth_alone: bool) -> tuple[np.ndarray | None, np.ndarray | None]:
        """The picture of a message and the depth that goes with it; either may be None."""
        if depth_alone:
            return None, depth_from_message(message)
        image = image_from_compressed(message) if isinstance(message, CompressedImage) else image_from_message(message)
        return image, self._depth_of(message.header, image.shape[:2])

    def _depth_of(self, header: Any, shape: tuple[int, int]) -> np.ndarray | None:
        """The depth that goes with an image; None without, or where none is asked for."""
        parameters = self._declared.parameters
        if self._depth is None:
            return None
        return self._depth.depth_m(header, shape, parameters.depth_tolerance_s, parameters.depth_wait_s, parameters.silence_timeout_s)

    def _usable_stamp(self, header: Any) -> float | None:
        """The stamp to track and smooth by, in seconds; None if the image has none."""
        stamp_s = messages.stamp_s(header)
        if stamp_s == 0.0:
            self._notices.once('zero stamp', 'images have no stamp (0): each is answered by itself, without tracking or smoothing; '
                               'set header.stamp in the camera driver')
            return None
        if stamp_s < self._last_stamp_s:
            self._estimator.reset()
            self._notices.once('time jump', f'stamps went back by {self._last_stamp_s - stamp_s:.3f} s: tracks and smoothing start anew; '
                               'normal for a recording that starts again, otherwise look for two publishers of the image topic')
        now_s = time.monotonic()
        ahead_s = stamp_s - self._last_stamp_s - (now_s - self._last_stamp_at_s)
        if self._last_stamp_s and ahead_s > _FOREIGN_CLOCK_S:
            self._estimator.reset()
            self._notices.once('time jump ahead', f'stamps jumped forward by {ahead_s:.1f} s: tracks and smoothing start anew; normal '
                               "when the camera's clock is set, otherwise look for two publishers of the image topic")
        self._last_stamp_s, self._last_stamp_at_s = stamp_s, now_s
        return stamp_s

    def _watch_size(self, size: tuple[int, int]) -> None:
        """Starts tracking anew where the resolution changes: the old boxes are in other pixels."""
        if self._size not in (None, size):
            self._estimator.reset()
            was, now = (f'{width}x{height}' for width, height in (self._size, size))
            self._notices.throttled('size', f'the resolution changed from {was} to {now}: tracks and smoothing start anew; '
                                    'if it goes on changing, look for two publishers of the image topic', _REPEAT_S)
        self._size = size

    # Parameters and health, in the executor's thread.

    def _apply_parameters(self) -> None:
        if self._estimator is not None:
            self._estimator.options = self._declared.parameters.estimator_options(self._estimator.options)

    @property
    def configured(self) -> bool:
        """Whether a model is loaded, which fixes some parameters."""
        return self._estimator is not None

    def _watch(self) -> None:
        if self._worker is not None:
            self._inputs.match_publishers()
            self._watch_silence()
            self._watch_surroundings()
            self._surroundings.watch(self._statistics.images, self._declared.parameters.silence_timeout_s)
        elif self._failure:
            self._notices.throttled('configure', f'still not configured: {self._failure}; then ros2 lifecycle set {self._name()} configure',
                                    _REPEAT_S, 'error')

    def _publish_diagnostics(self) -> None:
        state, reason = self._state()
        values = {'model': self._declared.parameters.model, 'camera': self._calibration.status} | self._statistics.values()
        if self._depth is not None:
            values['depth'] = self._depth.status
        if self._estimator is not None:
            values |= {'model': self._estimator.model_name, 'device': self._estimator.device}
        now: Time = self.get_clock().now().to_msg()
        self._diagnostics.publish(diagnostic_array(now, self._name(), self._frame_id, state, reason, values))

    def _watch_silence(self, at_once: bool = False) -> None:
        """Says why no image comes once none has come for a while."""
        last_s = self._statistics.last_image_s
        silent_s = time.monotonic() - max(last_s or 0.0, self._listening_since_s)
        if not at_once and silent_s < self._declared.parameters.silence_timeout_s:
            return
        images = self._images_in
        reason = explain_silence(self, images.topic, type_name(images.message_type), images.qos, last_s is not None)
        if reason != self._silence:
            self._silence = reason
            self._notices.forget('silence')
        self._notices.throttled('silence', f'no image for {silent_s:.1f} s: {reason}', _REPEAT_S)

    def _watch_surroundings(self) -> None:
        """Says what is missing around a node that does get images."""
        timeout_s = self._declared.parameters.silence_timeout_s
        if not self._statistics.images or time.monotonic() - self._listening_since_s < timeout_s:
            return
        if not self._calibration.received:
            self._notices.once('no camera_info', f"no camera_info on {self.resolve_topic_name('camera_info')}: {UNCORRECTED}; "
                               'publish it, or remap camera_info:=TOPIC')
        topics = self._outputs.topics
        if self._outputs.listeners == 0:
            self._notices.once('nobody', f"nobody subscribes to {', '.join(topics)}; try: ros2 topic echo {topics[0]}", 'info')
        elif self._notices.forget('nobody'):
            self._notices.say('somebody subscribes to the results now')

    def _state(self) -> tuple[State, str]:
        statistics = self._statistics
        if self._estimator is None:
            return (State.CONFIGURE_FAILED, self._failure) if self._failure else (State.UNCONFIGURED, '')
        if not self._active:
            return State.INACTIVE, ''
        if not self._enabled:
            return State.DISABLED, ''
        if self._silence and self._depth is not None and self._estimator.reads_depth and statistics.last_answer is not None:
            return State.DEGRADED, f'heads are found in depth alone: {self._silence}'
        if self._silence:
            return (State.SILENT if statistics.images else State.NO_IMAGE), self._silence
        if statistics.model_failing:
            return State.MODEL_FAILED, statistics.last_failure
        if statistics.images_bad:
            return State.BAD_IMAGES, statistics.last_failure
        if self._idle:
            return State.IDLE, ''
        if self._frame_problem:
            return State.NO_TRANSFORM, self._frame_problem
        answer = statistics.last_answer
        if answer is None:
            return State.NO_IMAGE, ''
        if self._depth is not None and self._depth.degraded:
            return State.DEGRADED, self._depth.status
        if statistics.overtaken > 0.5:
            return State.DEGRADED, (f'{100 * statistics.overtaken:.0f} % of the images are overtaken by newer ones before their turn: the '
                                    'machine is too slow or too busy; free a core for the node, or lower their rate or size')
        return (State.OK if answer.faces else State.NO_FACE), ''

    def _name(self) -> str:
        return self.get_fully_qualified_name()


def main(args: list[str] | None = None) -> int:
    """Runs the node until SIGINT or SIGTERM; returns the process's exit status."""
    return running.run(HeadPoseNode, HeadPoseNode.bring_up, args)


if __name__ == '__main__':
    sys.exit(main())
