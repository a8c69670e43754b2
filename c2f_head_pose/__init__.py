"""Estimates head orientation in camera images with a coarse-to-fine network.

from c2f_head_pose import HeadPoseEstimator
estimator = HeadPoseEstimator.load('c2f_edge')
poses = estimator.estimate(image)
"""

from .engine.contract import ModelContract
from .estimator import EstimatorOptions, HeadPoseEstimator
from .models.registry import ModelError
from .types import Camera, FaceBox, HeadPose

__all__ = ['Camera', 'EstimatorOptions', 'FaceBox', 'HeadPose', 'HeadPoseEstimator', 'ModelContract', 'ModelError']
