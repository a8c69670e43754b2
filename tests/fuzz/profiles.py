"""Small files that the package itself writes and finds again: the neutral, kept engines, results, and the gate's expressions."""

from __future__ import annotations

import functools
import hashlib
import json
import tempfile
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path

import numpy as np

from c2f_head_pose.engine.cache import EngineCache, EngineKey
from c2f_head_pose.evaluation import gate, results
from c2f_head_pose.evaluation.series import Series
from c2f_head_pose.ros import neutral

from .scratch import scratch_file

MODULES = (
    'c2f_head_pose.ros.neutral',
    'c2f_head_pose.engine.cache',
    'c2f_head_pose.evaluation.results',
    'c2f_head_pose.evaluation.series',
    'c2f_head_pose.evaluation.gate',
)
_KEY = EngineKey('c2f_edge', 'ab' * 32, 'tensorrt', '10.3.0', 'NVIDIA GeForce RTX 4090', 'sm89', 128, 'fp16', 'batch 1-1-8')
_METRICS = {'geodesic_deg': {'mean': 5.0, 'none': None}, 'images': {'coverage': 1.0}, 'name': 'x'}


@functools.cache
def _series() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        Series().save(Path(folder) / 'series.npz')
        return (Path(folder) / 'series.npz').read_bytes()


def seeds() -> list[bytes]:
    """A good file of each kind, behind the number of its kind."""
    plan = bytes(range(32))
    header = {'key': asdict(_KEY), 'size': len(plan), 'sha256': hashlib.sha256(plan).hexdigest()}
    metrics = {'schema': results.SCHEMA, 'recordings': [{'name': 'a', 'figures': {'images': {'wall_s': 1.0}}}]}
    kept = b'c2f_head_pose engine 1\n' + json.dumps(header).encode() + b'\n' + plan
    return [
        b'\0camera: a\nkind: mount\nquaternion_xyzw: [0, 0, 0, 1]\n',
        b'\1' + kept,
        b'\1' + kept[:23] + b'[' * 3000,
        b'\2' + json.dumps(metrics).encode(),
        b'\2{"schema": "c2f_head_pose.evaluation/1"}',
        b'\2' + b'[' * 3000,
        b'\3' + _series(),
        b'\4geodesic_deg.mean > 6 and not (images.coverage*2 <= 1.5e1 or -geodesic_deg.mean/2 != 3)',
        b'\4' + b'(' * 3000,
    ]


def check(data: bytes) -> None:
    """Reads the file as what its first byte says."""
    kind, content = (data[0] % 5 if data else 0), data[1:]
    (_neutral, _engine, _metrics, _result, _gate)[kind](content)


def _neutral(content: bytes) -> None:
    try:
        found = neutral.load(scratch_file('neutral.yaml', content))
    except neutral.NeutralError:
        return
    np.testing.assert_allclose(found.R @ found.R.T, np.eye(3), atol=1e-6)


def _engine(content: bytes) -> None:
    plan = EngineCache(scratch_file(_KEY.file, content).parent).find(_KEY)
    assert plan is None or content.endswith(plan)


def _metrics(content: bytes) -> None:
    _load(content, _series())


def _result(content: bytes) -> None:
    _load(json.dumps({'schema': results.SCHEMA, 'recordings': [{'name': 'a'}]}).encode(), content)


def _load(metrics: bytes, series: bytes) -> None:
    scratch_file('series.npz', series)
    try:
        _, scored, _ = results.load_result(scratch_file('metrics.json', metrics).parent)
    except results.ResultError:
        return
    assert isinstance(scored.name, str)


def _gate(content: bytes) -> None:
    with suppress(gate.GateError):
        assert gate.evaluate(content.decode('utf-8', 'replace'), _METRICS) in (True, False)
