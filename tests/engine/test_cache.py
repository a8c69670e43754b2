"""Engines on disk: every mismatch, damage, real concurrent processes, a killed builder, folders that cannot be written."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from engine_plans import KEY, PLAN, never

from c2f_head_pose.engine import cache as cache_module
from c2f_head_pose.engine.cache import CacheError, EngineCache, engine_folder

OTHERS = {
    'model': 'c2f_paper',
    'onnx_sha256': 'cd' * 32,
    'flavour': 'tensorrt_rtx',
    'version': '10.3.1',
    'gpu': 'NVIDIA GeForce RTX 4080',
    'sm': 'sm86',
    'multiprocessors': 76,
    'precision': 'int8',
    'profile': 'batch 1-1-1',
    'recipe': 2,
}
DEADLINE_S = 30


def wait_for(condition):
    deadline = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.fixture
def cache(tmp_path):
    return EngineCache(tmp_path / 'engines')


def test_an_engine_is_built_once_and_found_after(cache):
    first = cache.get(KEY, lambda: PLAN)
    assert first.plan == PLAN and first.built and first.note == ''
    again = EngineCache(cache.folder).get(KEY, never)
    assert again.plan == PLAN and not again.built
    assert [p.suffix for p in sorted(cache.folder.iterdir())] == ['.engine', '.lock']


def test_without_file_locks_an_engine_is_built_and_not_stored(cache, monkeypatch):
    monkeypatch.setattr(cache_module, 'fcntl', None)
    built = cache.get(KEY, lambda: PLAN)
    assert built.plan == PLAN and built.built and built.note.startswith('not stored: this system has no engine folder')
    with pytest.raises(CacheError, match='no file locks'):
        cache.get(KEY, never, must_keep=True)


@pytest.mark.parametrize('field', sorted(OTHERS))
def test_any_difference_in_the_key_is_another_engine(cache, field):
    assert set(OTHERS) == set(asdict(KEY))
    cache.get(KEY, lambda: PLAN)
    other = replace(KEY, **{field: OTHERS[field]})
    assert cache.find(other) is None
    assert cache.get(other, lambda: b'other').plan == b'other'
    assert cache.find(KEY) == PLAN


@pytest.mark.parametrize('field', sorted(OTHERS))
def test_an_engine_under_a_wrong_name_is_rebuilt_not_loaded(cache, field):
    """Somebody copies or renames files between machines: the file itself says what it is."""
    other = replace(KEY, **{field: OTHERS[field]})
    cache.get(other, lambda: b'of another machine')
    (cache.folder / other.file).rename(cache.folder / KEY.file)
    assert cache.find(KEY) is None
    assert cache.get(KEY, lambda: PLAN).plan == PLAN


@pytest.mark.parametrize(
    'damage',
    [
        lambda content: b'',
        lambda content: content[:10],
        lambda content: content[:-1],
        lambda content: content + b'x',
        lambda content: content[:-100] + bytes([content[-100] ^ 1]) + content[-99:],
        lambda content: PLAN,
        lambda content: b'{}\n' + content,
        lambda content: content.replace(b'"fp16"', b'"fp32"'),
        lambda content: content.replace(b'{', b'[', 1),
        lambda content: content[:23] + b'[' * 60_000 + b'\n' + PLAN,
        lambda content: content[:23] + b'[]\n' + PLAN,
        lambda content: content[:23] + b'\xff\xfe\n' + PLAN,
    ],
)
def test_a_damaged_or_foreign_file_is_rebuilt_not_loaded(cache, damage):
    cache.get(KEY, lambda: PLAN)
    path = cache.folder / KEY.file
    path.write_bytes(damage(path.read_bytes()))
    assert cache.find(KEY) is None
    again = cache.get(KEY, lambda: PLAN[::-1])
    assert again.built and cache.find(KEY) == PLAN[::-1]


def test_discarding_makes_room_for_a_new_build(cache):
    cache.get(KEY, lambda: PLAN)
    cache.discard(KEY)
    assert cache.get(KEY, lambda: b'new').plan == b'new'


def test_kernel_notes_are_shared_by_precisions_but_not_by_gpus(cache):
    cache.get(KEY, lambda: PLAN)
    assert cache.notes(KEY) == b''
    cache.keep_notes(KEY, b'timings')
    assert cache.notes(replace(KEY, precision='int8', model='other')) == b'timings'
    assert cache.notes(replace(KEY, multiprocessors=64)) == cache.notes(replace(KEY, version='11.0')) == b''


BUILDER = """
import os, sys, time
from pathlib import Path
sys.path[:0] = [{root!r}]
from c2f_head_pose.engine import cache as module
from tests.engine_plans import KEY, PLAN
folder, name = Path(sys.argv[1]), sys.argv[2]
def wait_for(path):
    end = time.monotonic() + 30
    while not path.exists():
        assert time.monotonic() < end
        time.sleep(0.01)
def build():
    with open(folder / 'builds', 'a') as log:
        log.write(name + '\\n')
    wait_for(folder / 'go')
    return PLAN
if name == 'dies-writing':
    replace = os.replace
    def hang(part, path):
        (folder / 'written').touch()
        time.sleep(60)
    os.replace = hang
got = module.EngineCache(folder / 'engines').get(KEY, build, lambda: (folder / f'waits-{{name}}').touch())
print(len(got.plan), got.built)
"""


def builder(folder: Path, name: str) -> subprocess.Popen:
    root = str(Path(__file__).parents[2])
    return subprocess.Popen([sys.executable, '-c', BUILDER.format(root=root), str(folder), name], stdout=subprocess.PIPE, text=True)


def test_of_two_processes_one_builds_and_the_other_waits_for_it(tmp_path):
    one = builder(tmp_path, 'one')
    wait_for((tmp_path / 'builds').exists)
    two = builder(tmp_path, 'two')
    wait_for((tmp_path / 'waits-two').exists)
    (tmp_path / 'go').touch()
    assert one.communicate(timeout=DEADLINE_S)[0] == f'{len(PLAN)} True\n'
    assert two.communicate(timeout=DEADLINE_S)[0] == f'{len(PLAN)} False\n'
    assert (tmp_path / 'builds').read_text() == 'one\n'


def test_a_builder_killed_while_building_lets_the_waiting_one_build(tmp_path):
    one = builder(tmp_path, 'one')
    wait_for((tmp_path / 'builds').exists)
    two = builder(tmp_path, 'two')
    wait_for((tmp_path / 'waits-two').exists)
    one.send_signal(signal.SIGKILL)
    one.communicate(timeout=DEADLINE_S)
    (tmp_path / 'go').touch()
    assert two.communicate(timeout=DEADLINE_S)[0] == f'{len(PLAN)} True\n'
    assert (tmp_path / 'builds').read_text() == 'one\ntwo\n'


def test_a_builder_killed_while_writing_leaves_nothing_that_is_loaded_and_its_leftovers_go(tmp_path):
    (tmp_path / 'go').touch()
    one = builder(tmp_path, 'dies-writing')
    wait_for((tmp_path / 'written').exists)
    one.send_signal(signal.SIGKILL)
    one.communicate(timeout=DEADLINE_S)
    cache = EngineCache(tmp_path / 'engines')
    assert len(list(cache.folder.glob('*.part'))) == 1
    assert cache.find(KEY) is None
    assert cache.get(KEY, lambda: PLAN).built
    assert list(cache.folder.glob('*.part')) == [] and cache.find(KEY) == PLAN


def test_leftovers_of_the_timing_cache_go_too(cache):
    cache.get(KEY, lambda: PLAN)
    cache.discard(KEY)
    (cache.folder / f'{KEY.timing_file}.x1y2z3.part').write_bytes(b'half')
    (cache.folder / 'mine.part').write_bytes(b'of somebody else')
    assert cache.get(KEY, lambda: PLAN).built
    assert [p.name for p in cache.folder.glob('*.part')] == ['mine.part']


def test_a_folder_that_cannot_be_written_gives_the_engine_and_reports_it(tmp_path):
    """A file where the folder should be: refused to root as well, who ignores permissions."""
    (tmp_path / 'file').touch()
    cache = EngineCache(tmp_path / 'file' / 'engines')
    got = cache.get(KEY, lambda: PLAN)
    assert got.plan == PLAN and got.built
    assert 'not stored' in got.note and 'C2F_HEAD_POSE_ENGINES' in got.note
    cache.keep_notes(KEY, b'timings')
    with pytest.raises(CacheError, match='cannot be written'):
        cache.get(KEY, never, must_keep=True)


@pytest.mark.skipif(os.geteuid() == 0, reason='root writes to read-only folders')
def test_an_engine_provisioned_into_a_read_only_folder_is_used(cache):
    cache.get(KEY, lambda: PLAN)
    cache.folder.chmod(0o555)
    try:
        assert cache.get(KEY, never).plan == PLAN
        assert 'not stored' in cache.get(replace(KEY, precision='int8'), lambda: PLAN).note
    finally:
        cache.folder.chmod(0o755)


FULL = """
import resource, sys
from pathlib import Path
sys.path[:0] = [{root!r}]
from c2f_head_pose.engine.cache import CacheError, EngineCache
from tests.engine_plans import KEY, PLAN
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
cache = EngineCache(Path(sys.argv[1]))
got = cache.get(KEY, lambda: PLAN)
assert got.plan == PLAN and got.built and 'not stored' in got.note, got.note
try:
    cache.get(KEY, lambda: PLAN, must_keep=True)
except CacheError as error:
    print(error)
print(sorted(p.suffix for p in cache.folder.iterdir()))
"""


def test_a_disk_that_fills_while_writing_leaves_no_half_engine(tmp_path):
    """A limit of 4 KiB a file stands for the full disk: the system fails the same write in the middle."""
    root = str(Path(__file__).parents[2])
    done = subprocess.run([sys.executable, '-c', FULL.format(root=root), str(tmp_path)], capture_output=True, text=True, timeout=DEADLINE_S)
    assert done.returncode == 0, done.stderr
    assert 'free some space' in done.stdout and "['.lock']" in done.stdout


def test_the_folder_follows_the_environment(monkeypatch, tmp_path):
    monkeypatch.setenv('C2F_HEAD_POSE_ENGINES', str(tmp_path / 'a'))
    assert engine_folder() == tmp_path / 'a'
    monkeypatch.delenv('C2F_HEAD_POSE_ENGINES')
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'b'))
    assert engine_folder() == tmp_path / 'b' / 'c2f_head_pose' / 'engines'
