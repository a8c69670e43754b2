"""Timing in turns, the scenes it is done on, and `bench --path`."""

import collections
import json
import os
import resource
from unittest import mock

import numpy as np
import pytest

from c2f_head_pose import provenance
from c2f_head_pose.bench import command as bench
from c2f_head_pose.bench import process_memory, scenes, start_up, whole_path
from c2f_head_pose.bench.interleaved import Timing, Turns, take_turns
from c2f_head_pose.depth_head_finder import find_heads
from c2f_head_pose.detect import FaceDetector


def test_every_round_runs_every_job_once_in_an_order_of_its_own():
    """Two rounds to warm up, then seven: nine runs of each, and not always in the same order."""
    ran = []
    turns = take_turns({name: lambda name=name: ran.append(name) for name in 'abc'}, 0.0, least=7)
    rounds = [ran[i : i + 3] for i in range(0, len(ran), 3)]
    assert len(rounds) == 9 and all(sorted(one) == ['a', 'b', 'c'] for one in rounds)
    assert len({tuple(one) for one in rounds[2:]}) > 1
    assert len(turns.wall_ms['a']) == len(turns.cpu_ms['c']) == 7


def test_figures_and_ratios_are_as_by_hand():
    """1, 2, 9: median 2, best 1. Ratios to 1, 1, 3 are 1, 2, 3: median 2, where the medians' ratio would say 2 / 1 too; to 2, 1, 3: 2."""
    turns = Turns({'a': np.array([1.0, 2.0, 9.0]), 'b': np.array([2.0, 1.0, 3.0])}, {})
    timing = turns.timing('a')
    assert (timing.median_ms, timing.best_ms, timing.runs) == (2.0, 1.0, 3)
    assert timing.p99_ms == pytest.approx(2 + 0.98 * 7)
    assert turns.ratio('a', 'b') == 2.0 and isinstance(timing, Timing)


@pytest.mark.parametrize('faces', [0, 1, 2, 5, 10])
def test_a_scene_has_the_stated_number_of_faces(faces):
    detector = FaceDetector()
    assert len(detector.detect(scenes.picture(faces), 0.6, 320)) == faces
    assert len(detector.detect(scenes.picture(faces, 1920, 1080), 0.6, 320)) == faces
    assert len(find_heads(scenes.dolls(faces), scenes.camera())) == faces


@pytest.mark.slow
def test_bench_path_writes_every_stage_and_table(tmp_path, capsys, monkeypatch):
    """Stages for 1 and 2 threads and 1 and 5 faces: four rows of each; the whole contains its parts."""
    monkeypatch.setattr(whole_path, 'SIZES', ((320, 240),))
    target = tmp_path / 'out' / 'path.json'
    assert bench.main(['c2f_edge', '--path', '--seconds', '0.05', '--starts', '1', '--json', str(target)]) == 0
    written = json.loads(target.read_text())
    stages = [row['stage'] for row in written['stages']]
    assert set(stages) == {
        'detect, whole image',
        'detect, around one face',
        'crop',
        'network',
        'decode',
        'smooth',
        'whole path, first or single image',
        'whole path, followed',
    }
    assert all(stages.count(stage) == 4 for stage in stages)
    assert [row['faces'] for row in written['by_faces']] == list(whole_path.MORE_FACES)
    start = written['start_up']['c2f_edge']
    assert list(start['seconds']) == ['interpreter', 'import', 'load', 'first answer'] and start['resident_mb'] > 50
    assert start['whole_s'] == pytest.approx(sum(start['seconds'].values()))
    assert {'processor', 'usable cores', 'load before', 'load after', 'commit', 'onnxruntime'} <= set(written['machine'])
    out = capsys.readouterr().out
    assert '| whole path, followed |' in out and '| Start, seconds |' in out


def test_the_path_is_measured_where_the_system_states_neither_memory_nor_usable_cores(monkeypatch):
    """As on macOS: no /proc and no os.sched_getaffinity; the peak is getrusage's, 2 MiB."""
    monkeypatch.delattr(os, 'sched_getaffinity')
    monkeypatch.setattr(process_memory.Path, 'read_text', mock.Mock(side_effect=FileNotFoundError))
    monkeypatch.setattr(process_memory.sys, 'platform', 'darwin')
    monkeypatch.setattr(resource, 'getrusage', lambda _: mock.Mock(ru_maxrss=2 << 20))
    monkeypatch.delattr(os, 'getloadavg')
    assert provenance.usable_cores() == os.cpu_count() and provenance.load_average() is None
    assert process_memory.memory_bytes() == (None, 2 << 20)
    steps = [dict.fromkeys(('interpreter', 'import'), 1e9), 1, None, 2 << 20]
    monkeypatch.setattr(start_up.subprocess, 'run', lambda *_, **__: mock.Mock(returncode=0, stdout=json.dumps(steps)))
    start = start_up.measure_start_up(['c2f_edge'], 2)
    assert (start['c2f_edge'].resident_mb, start['c2f_edge'].peak_mb) == (None, 2.0)
    machine = collections.defaultdict(str)
    assert '| unknown | 2 |' in whole_path.page(whole_path.PathReport('', '', machine, start_up=start))


def test_a_process_that_fails_is_reported_with_its_reason():
    with pytest.raises(RuntimeError, match='no model'):
        start_up.measure_start_up(['no_such_model'], 1)


def test_the_path_is_of_the_cpu(capsys):
    with pytest.raises(SystemExit):
        bench.main(['--path', '--device', 'cuda'])
    assert '--path measures the CPU' in capsys.readouterr().err


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        ('--path --threads 2 --batch 4', 'leave out --batch and --threads'),
        ('--precision fp16', 'leave out --precision: there is no such setting with --device cpu'),
        ('--device cuda --threads 2', 'leave out --threads'),
        ('--starts 3', 'leave out --starts'),
        ('--path --starts 0', '--starts must be at least 1'),
    ],
)
def test_options_that_would_be_ignored_or_fail_at_the_end_are_refused_at_once(arguments, said, capsys, monkeypatch):
    for way in ('bench_path', 'bench_cpu', 'bench_cuda'):
        monkeypatch.setattr(bench, way, None)
    with pytest.raises(SystemExit):
        bench.main(arguments.split())
    assert said in capsys.readouterr().err
