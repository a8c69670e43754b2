"""The folder of results: apart from the recordings and the files that are read."""

import json
import re
import shutil

import pytest
from bag_making import Scene, scene_recording, write_bag

from c2f_head_pose.evaluation import bag as evaluate_bag
from c2f_head_pose.evaluation.result_files import RESULT_FILES
from c2f_head_pose.evaluation.results import is_result

SHORT = scene_recording(Scene(duration_s=2.0, rate_hz=15.0))


def run(*arguments):
    return evaluate_bag.main([*map(str, arguments)])


@pytest.fixture(scope='module')
def evaluated(tmp_path_factory):
    """A recording and its results."""
    folder = tmp_path_factory.mktemp('evaluated')
    bag = write_bag(folder / 'drive', SHORT)
    assert run(bag, '--output', folder / 'out') == 0
    return bag, folder / 'out'


def test_the_files_that_are_written_are_those_that_are_listed(evaluated):
    """30 images are enough for an alignment, and so for all of them."""
    assert sorted(path.name for path in evaluated[1].iterdir()) == sorted(RESULT_FILES)


def test_results_are_not_written_among_the_files_of_a_recording(evaluated, tmp_path, capsys):
    """Otherwise the next run would load them in place of the recording, whatever its options."""
    drive, other = (shutil.copytree(evaluated[0], tmp_path / name) for name in ('drive', 'other'))
    before = sorted(tmp_path.rglob('*'))
    for arguments in (
        [drive, '--output', drive],
        [next(drive.glob('*.mcap')), '--output', drive],
        [drive, other, '--output', tmp_path],
        [drive, other, '--output', drive],
    ):
        assert run(*arguments) == 2
        assert 'name another --output' in capsys.readouterr().err
    assert sorted(tmp_path.rglob('*')) == before


def test_a_recording_with_results_among_its_files_is_evaluated_again(evaluated, tmp_path):
    """As earlier versions left it: a model that does not exist shows that the options apply."""
    drive = shutil.copytree(evaluated[0], tmp_path / 'drive')
    for path in evaluated[1].iterdir():
        shutil.copy(path, drive)
    assert is_result(evaluated[1]) and not is_result(drive)
    assert run(drive, '--output', tmp_path / 'out', '--model', 'nothing') == 2


@pytest.mark.parametrize('options', [['--truth', 'lab/frames.csv'], ['--truth', '', '--truth', 'lab/../lab/frames.csv']])
def test_a_truth_that_the_results_would_replace_is_refused(evaluated, tmp_path, monkeypatch, capsys, options):
    monkeypatch.chdir(tmp_path)
    truth = tmp_path / 'lab' / 'frames.csv'
    truth.parent.mkdir()
    truth.write_text('stamp_s,qx,qy,qz,qw\n1,0,0,0,1\n')
    assert run(evaluated[0], '--output', 'lab', *options) == 2
    assert 'lab/frames.csv would be overwritten' in capsys.readouterr().err
    assert len(truth.read_text().splitlines()) == 2 and [*truth.parent.iterdir()] == [truth]


def test_an_earlier_result_is_loaded_with_a_line_that_names_its_model(evaluated, tmp_path, capsys):
    """Also into its own folder, which adds a verdict to it."""
    for output in (tmp_path / 'again', shutil.copytree(evaluated[1], tmp_path / 'out')):
        source = evaluated[1] if output.name == 'again' else output
        assert run(source, '--output', output, '--fail-if', 'geodesic_deg.mean > 90') == 0
        assert f'{source} is an earlier result of model c2f_edge' in capsys.readouterr().err
        assert json.loads((output / 'metrics.json').read_text())['overall']['images']['n'] == 30


def test_files_of_an_earlier_evaluation_are_not_taken_for_this_one(evaluated, tmp_path):
    """The recording lost its truth and its video now; then it cannot be read. A file of the user's own stays."""
    out, drive = shutil.copytree(evaluated[1], tmp_path / 'out'), shutil.copytree(evaluated[0], tmp_path / 'drive')
    (out / 'notes.txt').write_text('mine')
    assert run(drive, '--output', out, '--truth', 'none', '--no-video', '--no-poses') == 0
    assert {path.name for path in out.iterdir()} == {*RESULT_FILES, 'notes.txt'} - {'annotated.mp4', 'poses.mcap', 'aligned.npy'}
    for file in drive.glob('*.mcap'):
        file.write_bytes(file.read_bytes()[:100])
    assert run(drive, '--output', out) == 2
    assert {path.name for path in out.iterdir()} == {'metrics.json', 'report.html', 'notes.txt'} and not is_result(out)


def test_the_results_of_several_recordings_are_not_those_of_the_one_before(evaluated, tmp_path):
    """What one recording left in the folder would be loaded with the figures of both."""
    out, other = shutil.copytree(evaluated[1], tmp_path / 'out'), shutil.copytree(evaluated[1], tmp_path / 'other')
    assert run(evaluated[1], other, '--output', out) == 0
    assert {path.name for path in out.iterdir()} == {'metrics.json', 'report.html'} and not is_result(out)


def test_results_put_together_are_shown_under_the_names_of_their_entries(evaluated, tmp_path):
    """The report finds a recording's alignment and attention by its name; here both results are of recordings with one name."""
    parts = [shutil.copytree(evaluated[1], tmp_path / folder / 'drive') for folder in ('monday', 'tuesday')]
    assert run(*parts, '--output', tmp_path / 'together') == 0
    page = (tmp_path / 'together' / 'report.html').read_text()
    data = json.loads(re.search(r'<script[^>]*id="data"[^>]*>(.*?)</script>', page, re.S).group(1))
    names = [[entry['name'] for entry in entries] for entries in (data['record']['recordings'], data['recordings'])]
    assert names == [['drive', 'drive_2']] * 2
