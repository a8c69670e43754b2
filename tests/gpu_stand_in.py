"""Stands in for TensorRT's build and the GPU that runs its engine: the build returns PLAN, and ONNX Runtime runs the model.

As a program it is `build_engine` with these, for the process that builds.
"""

import sys

from engine_plans import PLAN

from c2f_head_pose.engine import build, cuda, tensorrt_installation
from c2f_head_pose.engine.onnxruntime_engine import OnnxRuntimeEngine
from c2f_head_pose.models.registry import model_path

MODEL = 'c2f_edge'
TRT = tensorrt_installation.TensorRT(sys, 'tensorrt', '10.3.0', (10, 3))
GPU = cuda.Gpu('none', (8, 9), 1, 1, False)


class StandIn(OnnxRuntimeEngine):
    """The engine of PLAN."""

    def __init__(self, plan, contract, trt, gpu, label):
        assert plan == PLAN
        super().__init__(model_path(MODEL))
        self.description = 'cuda (stand-in)'

    def close(self):
        pass


def stand_in(replace=setattr):
    """Puts the stand-ins into the modules that use the real ones; `replace` is called as setattr."""
    replace(tensorrt_installation, 'find_all', lambda: (TRT, GPU))
    replace(build, 'find_all', lambda: (TRT, GPU))
    replace(build, 'build_plan', lambda *_: (PLAN, PLAN))
    replace(build, 'TensorRTEngine', StandIn)


if __name__ == '__main__':
    stand_in()
    sys.exit(build.main())
