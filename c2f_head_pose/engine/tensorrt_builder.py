"""Compiles a model file with TensorRT 8.5 to 11 or TensorRT-RTX; tensorrt_engine.py lists the differences between the versions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import onnx

from .contract import INPUT, OUTPUTS
from .precision import geometry_nodes, with_precision
from .tensorrt_installation import EngineError, TensorRT, logger_of

Progress = Callable[[float, str], None]
"""Called with the share of a build that is done, 0 to 1, and the name of the present step."""

_LARGEST_WORKSPACE = 1 << 30
_ARITHMETIC = ('ELEMENTWISE', 'UNARY', 'REDUCE', 'MATRIX_MULTIPLY', 'SOFTMAX', 'ACTIVATION')  # layers whose precision can be set


def build_plan(
    trt: TensorRT,
    model: onnx.ModelProto,
    precision: str,
    source: str,
    notes: bytes = b'',
    progress: Progress | None = None,
    workspace: int = _LARGEST_WORKSPACE,
    compute_capabilities: Sequence[str] = (),
) -> tuple[bytes, bytes]:
    """Compiles a model file.

    Args:
        trt: the TensorRT that builds the engine.
        model: the file's content, fp32 or quantised.
        precision: 'fp32', 'fp16' or 'int8'.
        source: the file's name, for messages.
        notes: timing cache of an earlier build; empty for none.
        progress: called during the build; never called before TensorRT 10.
        workspace: bytes of GPU memory that a kernel may use beside its tensors.
        compute_capabilities: for TensorRT-RTX, the GPUs to build for ('SM89', ...), which need not be installed; by default this machine's.

    Returns:
        The serialised engine, and the timing cache for the next build.

    Raises:
        EngineError: when TensorRT fails, with its reasons.
        ModelError: when the file does not permit the precision.
    """
    if compute_capabilities and not trt.is_rtx:
        raise EngineError(f'{trt.flavour} {trt.version} builds for the installed GPU only; install tensorrt_rtx to build for other GPUs')
    api, log = trt.module, logger_of(trt.module)
    typed = with_precision(model, precision, source)
    log.errors.clear()
    try:
        builder = api.Builder(log)
    except TypeError as error:  # raised by TensorRT's bindings when it could not make a builder
        raise EngineError(
            f"{trt.flavour} {trt.version} could not make a builder: {log.reasons()}; check the driver with 'nvidia-smi'"
        ) from error
    network = builder.create_network(_network_flags(trt))
    parser = api.OnnxParser(network, log)
    # Weakly typed builders choose types themselves, so they get the fp32 file; _configure pins the layers that must stay fp32.
    if not parser.parse((typed if trt.number >= (10, 0) else model).SerializeToString()):
        reasons = '; '.join(str(parser.get_error(i)) for i in range(parser.num_errors))
        raise EngineError(f'{trt.flavour} {trt.version} cannot read {source}: {reasons}')
    for i in reversed(range(network.num_outputs)):
        if network.get_output(i).name not in OUTPUTS:
            network.unmark_output(network.get_output(i))
    config = builder.create_builder_config()
    _configure(trt, config, network, model, precision)
    for smallest, tuned, largest in trt.profiles:
        profile = builder.create_optimization_profile()
        crop = tuple(network.get_input(0).shape)[1:]
        profile.set_shape(INPUT, (smallest, *crop), (tuned, *crop), (largest, *crop))
        config.add_optimization_profile(profile)
    if not trt.is_rtx:  # with TensorRT-RTX a timing cache has no effect and requires a GPU
        config.set_memory_pool_limit(api.MemoryPoolType.WORKSPACE, workspace)
        use_timing_cache(config, notes)
    if compute_capabilities:
        config.num_compute_capabilities = len(compute_capabilities)
        for i, name in enumerate(compute_capabilities):
            if not hasattr(api.ComputeCapability, name):
                known = ', '.join(sorted(k for k in dir(api.ComputeCapability) if k.startswith('SM')))
                raise EngineError(f'{trt.flavour} {trt.version} does not build for {name}, only for {known}')
            config.set_compute_capability(getattr(api.ComputeCapability, name), i)
    if progress is not None and hasattr(config, 'progress_monitor'):
        config.progress_monitor = _make_monitor(api, progress)
    plan = builder.build_serialized_network(network, config)
    if plan is None:
        raise EngineError(f'{trt.flavour} {trt.version} could not build {source} at {precision}: {log.reasons()}')
    return bytes(plan), b'' if trt.is_rtx else timings_of(config)


def use_timing_cache(config: Any, notes: bytes) -> None:
    """Gives a builder's configuration the timing cache of an earlier build; an empty one where TensorRT cannot use that."""
    cache = config.create_timing_cache(notes)
    if cache is None or not config.set_timing_cache(cache, False):
        config.set_timing_cache(config.create_timing_cache(b''), False)


def timings_of(config: Any) -> bytes:
    """Returns the timing cache of a finished build; empty bytes where the build had none."""
    cache = config.get_timing_cache()
    return b'' if cache is None else bytes(cache.serialize())


def _network_flags(trt: TensorRT) -> int:
    flags = trt.module.NetworkDefinitionCreationFlag
    if trt.number < (10, 0):
        return 1 << int(flags.EXPLICIT_BATCH)
    return 1 << int(flags.STRONGLY_TYPED) if trt.number < (11, 0) else 0


def _configure(trt: TensorRT, config: Any, network: Any, model: onnx.ModelProto, precision: str) -> None:
    api = trt.module
    if precision == 'fp32':
        config.clear_flag(api.BuilderFlag.TF32)  # TF32 has 10 bits of mantissa, as fp16, so it is not fp32
    if trt.is_rtx:
        config.set_flag(api.BuilderFlag.REQUIRE_USER_ALLOCATION)  # TensorRT must not allocate while a graph is captured
    if trt.number >= (10, 0):
        return
    if precision != 'fp32':
        config.set_flag(api.BuilderFlag.FP16)
        config.set_flag(api.BuilderFlag.PREFER_PRECISION_CONSTRAINTS)
        keep = geometry_nodes(model)
        arithmetic = {getattr(api.LayerType, name) for name in _ARITHMETIC}
        for i in range(network.num_layers):
            layer = network.get_layer(i)
            if layer.name in keep and layer.type in arithmetic and layer.get_output(0).dtype == api.float32:
                layer.precision = api.float32
    if precision == 'int8':
        config.set_flag(api.BuilderFlag.INT8)
    # Only TensorRT's own convolutions: cuBLAS and cuDNN need 1 GB more memory, and slim installations lack them.
    sources = api.TacticSource
    config.set_tactic_sources(1 << int(sources.EDGE_MASK_CONVOLUTIONS) | 1 << int(sources.JIT_CONVOLUTIONS))
    if hasattr(api, 'PreviewFeature') and hasattr(api.PreviewFeature, 'PROFILE_SHARING_0806'):
        config.set_preview_feature(api.PreviewFeature.PROFILE_SHARING_0806, True)


def _make_monitor(api: ModuleType, progress: Progress) -> Any:
    """Makes a monitor that combines TensorRT's nested phases into one share that never decreases."""

    class Monitor(api.IProgressMonitor):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            api.IProgressMonitor.__init__(self)
            self.phases: dict[str, tuple[str | None, int, int]] = {}  # name to parent, steps done, steps
            self.share = 0.0

        def phase_start(self, name: str, parent: str | None, steps: int) -> None:
            self.phases[name] = parent, 0, max(steps, 1)
            self._report(name)

        def step_complete(self, name: str, step: int) -> bool:
            parent, _, steps = self.phases[name]
            self.phases[name] = parent, step + 1, steps
            self._report(name)
            return True

        def phase_finish(self, name: str) -> None:
            self.phases.pop(name, None)

        def _report(self, name: str) -> None:
            share, inner = 0.0, name
            while inner in self.phases:
                parent, done, steps = self.phases[inner]
                share = min((done + share) / steps, 1.0)
                inner = parent or ''
            self.share = max(self.share, share)
            progress(self.share, name)

    return Monitor()
