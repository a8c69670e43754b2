"""An evaluation beside an earlier one: which recordings are compared, and with what."""

import json
from dataclasses import replace

import numpy as np
import pytest
from evaluated import scored

from c2f_head_pose.evaluation.evaluate import Evaluated
from c2f_head_pose.evaluation.results import load_result, read_metrics, recording_record, save_series
from c2f_head_pose.evaluation.verdict import Done, conclude
from c2f_head_pose.geometry import rotation_from_vector


def done(name, turned_deg, folder=None):
    """A recording whose truth is mounted askew by an angle."""
    one, alignment = scored(name, 6.0)
    R = rotation_from_vector(np.radians([turned_deg, 0, 0]))
    askew = replace(alignment, rotations={'head': R, 'camera': R})
    return Done(recording_record(Evaluated(name, name, one, truth='/truth', alignment=askew)), one, (), {}, folder)


def changes(folder, recordings, baseline):
    conclude(recordings, folder, ['evaluate_bag'], baseline, ())
    record = json.loads((folder / 'metrics.json').read_text())
    return {r['name']: round(r['alignment_change']['rotation_deg'], 3) for r in record['recordings'] if 'alignment_change' in r}


@pytest.fixture
def baseline(tmp_path):
    conclude([done('a', 1.0), done('b', 4.0)], tmp_path, ['evaluate_bag'], None, ())
    return read_metrics(tmp_path)


def test_alignments_are_compared_by_the_names_of_the_recordings(tmp_path, baseline):
    """Mounted at 1 and 4 degrees before, at 1.5 and 4 now, in another order and with a third recording, which has no earlier one."""
    assert changes(tmp_path, [done('new', 9.0), done('b', 4.0), done('a', 1.5)], baseline) == {'b': 0.0, 'a': 0.5}
    assert changes(tmp_path, [done('new', 9.0)], baseline) == {}


def test_one_recording_is_compared_with_the_one_of_the_baseline_whatever_its_name(tmp_path, baseline):
    alone = baseline | {'recordings': baseline['recordings'][:1]}
    assert changes(tmp_path, [done('renamed', 3.0)], alone) == {'renamed': 2.0}


def test_a_change_against_a_former_baseline_is_not_loaded(tmp_path, baseline):
    recording = done('a', 1.5)
    assert changes(tmp_path, [recording], baseline) == {'a': 0.5}
    save_series(tmp_path, recording.scored, ())
    entry, _, _ = load_result(tmp_path)
    assert 'alignment_change' not in entry and entry['alignment']
