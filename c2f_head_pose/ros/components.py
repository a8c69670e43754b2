"""Makes the parts that the node needs when it is configured: estimator, outputs, and the camera's mount."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2

from ..engine import ModelError
from ..estimator import HeadPoseEstimator
from ..finder import mute_findings
from ..parameters import Parameters
from .frames import FixedMount, TfMount, mount_source
from .humans import FaceNames
from .log import Notices
from .outputs import Outputs

_HOW = "set depth_model to 'c2f_depth', or to the .onnx file of one of your own (python -m training.train depth, then training.export)"


@dataclass(frozen=True)
class Parts:
    """Lives from configuring to cleaning up.

    Attributes:
        estimator: the estimator with its model.
        outputs: the publishers.
        mount: the camera's place in target_frame; None to answer in the image's own frame.
    """

    estimator: HeadPoseEstimator
    outputs: Outputs
    mount: FixedMount | TfMount | None

    def destroy(self) -> None:
        """Removes the publishers, and the listener of TF."""
        self.outputs.destroy()
        if self.mount is not None:
            self.mount.destroy()


def make_parts(node: Any, parameters: Parameters, notices: Notices) -> Parts:
    """Loads the models and creates the outputs and the mount.

    Args:
        node: the lifecycle node.
        parameters: the set in force.
        notices: log, which lists the outputs and models that are missing.

    Raises:
        ValueError: naming what is missing or wrong, with the remedy.
    """
    cv2.setNumThreads(parameters.threads)  # a pool of all cores takes up to twice the processor time of one thread
    estimator = load_estimator(parameters, notices)
    mount = mount_source(node, parameters)
    names = None
    if parameters.hri:
        names = FaceNames(parameters.hri_announce_after, parameters.hri_drop_after, followed=estimator.follows)
    return Parts(estimator, Outputs(node, notices, names), mount)


def load_estimator(parameters: Parameters, notices: Notices) -> HeadPoseEstimator:
    """Opens the estimator of a modality.

    Args:
        parameters: model, depth_model, modality, device, threads and the estimator's options.
        notices: log, which states that rgbd runs without a depth model.

    Raises:
        ModelError: naming the model that is missing or of another modality, with the remedy.
    """
    mute_findings()  # the node's own log has them
    options = parameters.estimator_options()
    if parameters.modality == 'rgb':
        return HeadPoseEstimator.load(parameters.model, parameters.device, parameters.threads, options)
    if parameters.modality == 'rgbd' and not parameters.depth_model:
        notices.once('depth model', 'depth_model is empty: orientations come from the image alone, depth gives positions', 'info')
        return HeadPoseEstimator.load(parameters.model, parameters.device, parameters.threads, options)
    try:
        if parameters.modality == 'rgbd':
            return HeadPoseEstimator.load(parameters.model, parameters.device, parameters.threads, options, parameters.depth_model)
        estimator = HeadPoseEstimator.load(parameters.depth_model, parameters.device, parameters.threads, options)
    except ModelError as error:
        if parameters.depth_model not in str(error):
            raise
        raise ModelError(f'modality {parameters.modality!r} needs a depth model: {error}. {_HOW[0].upper()}{_HOW[1:]}') from None
    if not estimator.reads_depth:
        raise ModelError(
            f"modality 'depth' needs a depth model, but depth_model {parameters.depth_model!r} reads images. {_HOW[0].upper()}{_HOW[1:]}"
        )
    return estimator
