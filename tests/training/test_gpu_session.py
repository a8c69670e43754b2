"""A session on a rented GPU, rehearsed on the CPU with its real parts; and its plan, pieces and kit."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from c2f_head_pose.engine import cuda
from c2f_head_pose.models.registry import DETECTOR, ModelError
from training import gpu_session
from training.loop import checkpoint
from training.portraits.mediapipe import LANDMARKER, SEGMENTER
from training.session import kit, parcel
from training.session import session as session_steps
from training.session.lanes import Command, Lane
from training.session.plan import FULL, Part
from training.session.session import Session
from training.synthetic.layout import Manifest, shard_path, write_manifest

ROOT = Path(__file__).parents[2]


def start(folder, out, *options):
    """One call at tiny scale, with a folder of portraits that is empty."""
    (folder / 'no_portraits').mkdir(exist_ok=True)
    command = [sys.executable, '-m', 'training.gpu_session', 'run', '--tiny', '--no-fetch', '--device', 'cpu', '--workers', '1']
    command += ['--out', str(out), '--keep', str(folder / 'keep'), '--piece-mb', '3', '--minutes', '30', *options]
    environment = os.environ | {'PORTRAITS_DIR': str(folder / 'no_portraits'), 'OMP_NUM_THREADS': '1'}
    return subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def await_file(path, process, seconds=300):
    end = time.monotonic() + seconds
    while not path.exists():
        assert process.poll() is None and time.monotonic() < end, process.communicate()[0]
        time.sleep(0.1)


@pytest.mark.render
@pytest.mark.slow
@pytest.mark.skipif(cuda.has_driver(), reason='there is an NVIDIA driver here, and the report would be measured')
def test_a_session_that_is_stopped_goes_on_from_its_pieces_on_a_machine_that_has_nothing_else(tmp_path):
    """The first call ends by SIGTERM while `c2f` trains; the second has the pieces alone. 24 steps of 8 samples in both together."""
    first = start(tmp_path, tmp_path / 'first')
    await_file(tmp_path / 'first' / 'runs' / 'c2f' / 'last.pt', first)
    first.send_signal(signal.SIGTERM)
    said, _ = first.communicate(timeout=120)
    assert first.returncode == 0 and 'to go on: the same command' in said
    pieces = sorted((tmp_path / 'keep').glob('*.bin'))
    assert len(pieces) >= 2 and all(piece.stat().st_size <= 3 * parcel.MB for piece in pieces)

    shutil.move(tmp_path / 'keep', tmp_path / 'carried')
    shutil.rmtree(tmp_path / 'first')
    second = start(tmp_path, tmp_path / 'second', '--resume', str(tmp_path / 'carried'))
    said, _ = second.communicate(timeout=1200)
    assert second.returncode == 0 and 'nothing is left to do' in said, said
    out = tmp_path / 'second'
    assert 'has the EMA of the weights alone: going on' in (out / 'logs' / 'train_c2f.log').read_text()
    content = checkpoint.load(out / 'runs' / 'c2f' / 'final.pt')
    assert (content['step'], content['samples']) == (24, 192) and content['samples_before'] > 0
    assert checkpoint.load(out / 'runs' / 'c2f_paper' / 'final.pt')['step'] == 4
    jobs = json.loads((out / 'state.json').read_text())['jobs']
    assert jobs['report c2f_edge']['status'].startswith('skipped: no NVIDIA driver')
    assert jobs['portraits']['status'].startswith('skipped: ') and 'has no picture' in jobs['portraits']['status']
    assert gpu_session.main(['unpack', '--keep', str(tmp_path / 'keep'), '--out', str(tmp_path / 'home')]) == 0
    kept = checkpoint.load(tmp_path / 'home' / 'runs' / 'c2f' / 'final.pt')
    assert 'optimiser' not in kept and checkpoint.network_of(kept)


def test_pieces_are_no_larger_than_stated_and_give_the_same_files_back(tmp_path):
    """2.5 MB of noise and a text, in pieces of 1 MB: three, as tar adds only some kilobytes."""
    noise = os.urandom(2_500_000)
    (tmp_path / 'noise').write_bytes(noise)
    parcel.write({'runs/a/last.pt': tmp_path / 'noise', 'state.json': b'{}'}, tmp_path / 'keep', parcel.MB)
    assert sorted(path.stat().st_size for path in (tmp_path / 'keep').glob('*.bin'))[1:] == [parcel.MB, parcel.MB]
    assert parcel.read(tmp_path / 'keep', tmp_path / 'out') == ['runs/a/last.pt', 'state.json']
    assert (tmp_path / 'out' / 'runs' / 'a' / 'last.pt').read_bytes() == noise
    assert (tmp_path / 'out' / 'state.json').read_bytes() == b'{}'


@pytest.mark.parametrize('damage', [lambda path: path.unlink(), lambda path: path.write_bytes(b'\0' + path.read_bytes()[1:])])
def test_a_damaged_or_missing_piece_is_refused_by_name(tmp_path, damage):
    parcel.write({'a': b'x' * 3000, 'b': b'y'}, tmp_path, 2000)
    damage(tmp_path / 'piece-1-01.bin')
    with pytest.raises(ValueError, match=r'piece-1-01\.bin is missing or damaged'):
        parcel.read(tmp_path, tmp_path / 'out')
    with pytest.raises(ValueError, match=r'no index\.json'):
        parcel.read(tmp_path / 'out', tmp_path)


@pytest.mark.parametrize('moved', [0, 1])
def test_a_process_killed_while_it_writes_pieces_leaves_those_before(tmp_path, moved):
    """As SIGKILL leaves the folder: new pieces unfinished in .part, or in place before the index is."""
    parcel.write({'a': b'old'}, tmp_path / 'keep')
    parcel.write({'a': b'new'}, tmp_path / 'other')
    (tmp_path / 'keep' / '.part').mkdir()
    place = tmp_path / 'keep' / ('' if moved else '.part')
    shutil.copy(tmp_path / 'other' / 'piece-1-00.bin', place / 'piece-2-00.bin')
    parcel.read(tmp_path / 'keep', tmp_path / 'out')
    assert (tmp_path / 'out' / 'a').read_bytes() == b'old'
    parcel.write({'a': b'newer'}, tmp_path / 'keep')
    parcel.read(tmp_path / 'keep', tmp_path / 'out')
    assert (tmp_path / 'out' / 'a').read_bytes() == b'newer'


def test_a_kit_has_the_materials_and_as_many_portraits_as_fit(tmp_path, monkeypatch, capsys):
    """Ten portraits of 100,000 bytes in a kit of 0.6 MB: with a file's overhead in the archive 101,536 each, so five beside the rest."""
    cache, pictures = tmp_path / 'cache', tmp_path / 'portraits'
    for name in (
        'heads-3/assets.npz',
        f'portraits/{LANDMARKER}',
        f'portraits/{SEGMENTER}',
        'portraits/ict_facekit.npz',
        f'models/{DETECTOR.file}',
    ):
        (cache / 'c2f_head_pose' / name).parent.mkdir(parents=True, exist_ok=True)
        (cache / 'c2f_head_pose' / name).write_bytes(os.urandom(1000))
    pictures.mkdir()
    for i in range(10):
        (pictures / f'{i}.jpg').write_bytes(os.urandom(100_000))
    monkeypatch.setenv('XDG_CACHE_HOME', str(cache))
    monkeypatch.setenv('PORTRAITS_DIR', str(pictures))
    monkeypatch.delenv('C2F_HEAD_POSE_MODELS', raising=False)
    kit.pack(tmp_path / 'kit', 0.6)
    assert parcel.size(tmp_path / 'kit') < 600_000
    kit.unpack(tmp_path / 'kit', tmp_path / 'there')
    found = kit.environment(tmp_path / 'there')
    assert sorted(path.stem for path in Path(found['PORTRAITS_DIR']).iterdir()) == ['0', '2', '4', '6', '8']
    heads = Path('c2f_head_pose', 'heads-3', 'assets.npz')
    assert (Path(found['XDG_CACHE_HOME']) / heads).read_bytes() == (cache / heads).read_bytes()
    shutil.rmtree(tmp_path / 'kit' / 'pictures')  # carried before
    kit.unpack(tmp_path / 'kit', tmp_path / 'there')
    assert kit.environment(tmp_path / 'there') == found
    monkeypatch.setenv('PORTRAITS_DIR', str(tmp_path / 'nowhere'))
    kit.pack(tmp_path / 'without', 0.6)
    assert f'no {tmp_path / "nowhere"}: run' in capsys.readouterr().out and (tmp_path / 'without' / kit.FITS).is_dir()
    with pytest.raises(ValueError, match='at least so many --megabytes'):
        kit.pack(tmp_path / 'small', 0.001)
    with pytest.raises(ValueError, match='no kit'):
        kit.unpack(tmp_path / 'there', tmp_path / 'elsewhere')


def rendered(session, part):
    """The shards of a part, as a renderer leaves them; the data are not read."""
    folder = session.data(part.preset)
    write_manifest(folder, Manifest(part.preset, 1, 16, 1))
    for shard in range(part.number, 16, part.of):
        shard_path(folder, shard).mkdir()
        (shard_path(folder, shard) / 'samples.npz').touch()


def value(command, option):
    return command.arguments[command.arguments.index(option) + 1]


def test_the_report_comes_first_then_training_with_what_is_rendered_by_then(tmp_path, monkeypatch):
    """Half of 30 minutes for c2f. Portraits join once they are labelled; when everything is there, no part of the training ends early."""
    monkeypatch.setattr(session_steps, 'find_all', lambda: None)
    session = Session(tmp_path, FULL, 30.0, gpu=True)
    steps, built, measured = session.on_gpu(), [], []
    command = next(steps)
    while command is not None and command.name.startswith(('build', 'report')):
        if command.alone:
            measured.append(command.arguments[1])
            assert command.arguments[0] == 'training.exporting.gpu_report'
        else:
            built.append((command.arguments[1], value(command, '--precision')))
        command = steps.send(0)
    assert built == [(name, p) for name in ('c2f', 'c2f_depth', 'c2f_edge') for p in ('fp16', 'fp32')]
    assert measured == ['c2f', 'c2f_depth', 'c2f_edge']
    assert command is None  # no renders yet
    rendered(session, Part('wide', 0, 4))
    command = steps.send(None)
    assert command.arguments[:2] == ('training.train', 'edge_128_gpu') and float(value(command, '--minutes')) == pytest.approx(15, abs=0.1)
    assert value(command, '--start').endswith('checkpoints/c2f.pt') and value(command, '--pause-minutes') == '1'
    data = command.arguments[command.arguments.index('--data') + 1 : command.arguments.index('--out')]
    assert data == (str(session.data('wide')),)
    for part in FULL.order[1:5]:
        rendered(session, part)
    session.data('portraits').mkdir()
    (session.data('portraits') / 'own_poses.npz').touch()
    session.turning = False
    command = session._train_command(FULL.trainings[0], session.data_of(FULL.trainings[0]), 90.0)
    data = command[command.index('--data') + 1 : command.index('--out')]
    assert data == (*(str(session.data(name)) for name in ('wide', 'scans')), f'{session.data("portraits")}=0.5')
    assert '--pause-minutes' not in command


@pytest.mark.parametrize(('rendering', 'turning', 'minutes'), [(True, False, '2.5'), (False, True, '2.5'), (False, False, None)])
def test_a_training_stops_to_read_new_data_only_while_some_are_being_made(tmp_path, rendering, turning, minutes):
    """After 150 s of training the next part is as long, 2.5 minutes; if the renderer failed at a preset, there is nothing to wait for."""
    session = Session(tmp_path, FULL, 30.0, gpu=True)
    rendered(session, Part('wide', 0, 4))
    session.rendering, session.turning = rendering, turning
    command = session._train_command(FULL.trainings[0], session.data_of(FULL.trainings[0]), 150.0)
    assert (command[command.index('--pause-minutes') + 1] if '--pause-minutes' in command else None) == minutes


def test_a_long_session_leaves_time_for_table_2_and_a_short_one_does_not(tmp_path):
    """480 minutes: 0.5, 0.5 and 0.25 of 1.25, so 192, 192, and 96 for the table; a quarter of 30 is less than five minutes a row."""
    night = Session(tmp_path / 'night', FULL, 480.0, gpu=True)
    assert night.budget(FULL.trainings[0]) == pytest.approx(192, abs=0.1)
    night.used_before = 60 * 384
    for i in range(16):
        rendered(night, Part('paper', i, 16))
    row = next(night._table_row(FULL.table_rows[0]))
    assert row.arguments[:3] == ('training.tables', '2', '--run') and float(value(row, '--minutes')) == pytest.approx(
        96 / 7, abs=0.1
    )  # rows
    short = Session(tmp_path / 'short', FULL, 30.0, gpu=True)
    short.used_before = 60 * 29
    assert list(short._table_row(FULL.table_rows[0])) == []
    assert short.state['jobs'][f'table 2, {FULL.table_rows[0]}']['status'].startswith('waiting: 1 minutes are left')


def test_rows_of_table_2_are_trained_once_no_renders_come(tmp_path):
    """A row that is stopped before its figures are written finds the data that it was trained on. Where the renderer ended early, the rows
    are trained on what there is.
    """
    session = Session(tmp_path, FULL, 480.0, gpu=True)
    steps = session._table_row(FULL.table_rows[0])
    assert next(steps) is None
    for i in range(15):
        rendered(session, Part('paper', i, 16))
    assert steps.send(None) is None
    session.rendering = False
    assert next(session._table_row(FULL.table_rows[1])).arguments[0] == 'training.tables'
    session.rendering = True
    rendered(session, Part('paper', 15, 16))
    assert steps.send(None).arguments[:3] == ('training.tables', '2', '--run')
    empty = Session(tmp_path / 'empty', FULL, 480.0, gpu=True)
    empty.rendering = False
    assert list(empty._table_row(FULL.table_rows[0])) == []
    assert empty.state['jobs'][f'table 2, {FULL.table_rows[0]}']['status'] == 'failed: no renders of paper'


def test_a_fresh_machine_renders_only_for_what_is_not_trained_yet(tmp_path):
    session = Session(tmp_path, FULL, 30.0, gpu=True)
    session.run('c2f').mkdir(parents=True)
    (session.run('c2f') / 'final.pt').touch()
    command = next(session.renders())
    assert value(command, '--preset') == 'paper' and value(command, '--shard') == '0/16' and command.nice > 0
    assert list(session.portraits()) == []


def test_without_tensorrt_each_call_begins_with_training_and_says_why_there_is_no_report(tmp_path, monkeypatch):
    """A report of an earlier call stays; the reason is asked for once, and no command is run for it."""
    asked = []

    def missing():
        asked.append(1)
        raise ModelError('TensorRT is not installed (pip install tensorrt)')

    monkeypatch.setattr(session_steps, 'find_all', missing)
    session = Session(tmp_path, FULL, 30.0, gpu=True)
    session.report('c2f').parent.mkdir()
    session.report('c2f').write_text('{"skipped": ""}')
    rendered(session, Part('wide', 0, 4))
    assert next(session.on_gpu()).name == 'train_c2f' and asked == [1]
    said = {job: facts['status'] for job, facts in session.state['jobs'].items() if job.startswith('report')}
    skipped = 'skipped: TensorRT is not installed (pip install tensorrt)'
    assert said == dict.fromkeys(('report c2f_depth', 'report c2f_edge'), skipped) and not session.failed


def test_without_a_gpu_trainings_wait_and_the_session_ends(tmp_path, monkeypatch):
    monkeypatch.setattr(session_steps, 'find_all', lambda: None)
    session = Session(tmp_path, FULL, 30.0, gpu=False)
    assert all(command.name.startswith(('build', 'report')) for command in session.on_gpu())
    assert {session.state['jobs'][name]['status'] for name in ('c2f', 'c2f_paper')} == {'waiting for a GPU'}
    assert session.left == ['c2f', 'c2f_paper']


def test_a_command_that_ignores_sigterm_is_killed_in_time(tmp_path):
    ignores = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('ready', flush=True); time.sleep(120)"

    def steps():
        yield Command('stubborn', ('timeit', '-n', '1', '-r', '1', ignores))

    lane = Lane(steps(), tmp_path, os.environ)
    lane.advance()
    end = time.monotonic() + 60
    while 'ready' not in (tmp_path / 'stubborn.log').read_text():
        assert time.monotonic() < end
        time.sleep(0.05)
    process, began = lane.process, time.monotonic()
    lane.ask_to_stop()
    lane.stop(began + 0.3)
    assert process.returncode == -signal.SIGKILL and 0.3 <= time.monotonic() - began < 30


def test_a_lane_stands_still_while_another_measures_and_then_goes_on(tmp_path):
    """T in /proc/PID/stat is a stopped process; proc(5)."""

    def steps():
        yield Command('first', ('timeit', '-n', '1', '-r', '1', "import time; print('ready', flush=True); time.sleep(120)"))

    def state():
        return Path(f'/proc/{lane.process.pid}/stat').read_text().rpartition(')')[2].split()[0]

    def await_state(*wanted):
        end = time.monotonic() + 60
        while state() not in wanted:
            assert time.monotonic() < end, state()
            time.sleep(0.02)

    lane = Lane(steps(), tmp_path, os.environ)
    lane.advance()
    await_state('S')
    lane.hold(True)
    await_state('T')
    lane.hold(False)
    await_state('S', 'R')
    lane.hold(True)
    lane.ask_to_stop()
    process = lane.process
    lane.stop(time.monotonic() + 60)
    assert process.returncode == -signal.SIGTERM
