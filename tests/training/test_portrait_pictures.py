"""Portraits of one's own: which pictures of a folder are used, whose they are, and what their dataset says of itself."""

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from c2f_head_pose.images import read_picture
from training.portraits import dataset
from training.portraits.__main__ import main
from training.portraits.dataset import manifest_of, print_people, write_people
from training.portraits.fetch import COLLECTIONS, sources
from training.portraits.pictures import find_faces
from training.portraits.variety import Variety

FACE = Path(__file__).parents[1] / 'data' / 'face.jpg'


def test_pictures_of_every_kind_are_used_and_those_without_a_single_face_are_counted(tmp_path):
    face = read_picture(FACE)
    for name in ('anna_1.jpg', 'carl_1.jpeg', 'dora_1.png'):
        cv2.imwrite(str(tmp_path / name), face)
    cv2.imwrite(str(tmp_path / 'emil_1.png'), face.astype(np.uint16) * 4)  # 10 bits
    shutil.copy(FACE, tmp_path / 'berta_1.JPG')
    cv2.imwrite(str(tmp_path / 'pair.png'), np.hstack([face, face]))
    cv2.imwrite(str(tmp_path / 'wall.png'), np.full((100, 100, 3), 128, np.uint8))
    cv2.imwrite(str(tmp_path / 'wall2.png'), np.full((100, 100, 3), 128, np.uint8))
    (tmp_path / 'broken.jpg').write_bytes(FACE.read_bytes()[:2000])
    (tmp_path / 'names.csv').write_text('name\n')
    (tmp_path / 'fred').mkdir()
    shutil.copy(FACE, tmp_path / 'fred' / '1.jpg')
    found, left_out = find_faces(tmp_path)
    assert [face.name for face in found] == ['anna_1.jpg', 'berta_1.JPG', 'carl_1.jpeg', 'dora_1.png', 'emil_1.png']
    for counted in (
        '1 with several faces (pair.png)',
        '2 without a face (wall.png)',
        '1 in subfolders (fred/1.jpg)',
        '1 that cannot be read',
    ):
        assert counted in left_out
    assert find_faces(tmp_path, 2)[1] == 'left out, with the first of each: 1 in subfolders (fred/1.jpg)'


@pytest.mark.parametrize('own', [True, False])
def test_a_dataset_of_pictures_at_hand_claims_no_licence_for_them(own, tmp_path, monkeypatch):
    monkeypatch.setenv('PORTRAITS_DIR', str(tmp_path) if own else '')
    licences = manifest_of(1, Variety(), 1, 'a test', sources().licences).licences
    pictures = {'pictures of PORTRAITS_DIR': 'not stated'} if own else {source.whose: source.licence for source in COLLECTIONS}
    assert licences == pictures | {'ICT-FaceKit': 'MIT', 'MediaPipe networks': 'Apache-2.0'}


def test_turn_says_who_is_held_out_and_what_is_left_out_before_anything_is_drawn(tmp_path, monkeypatch, capsys):
    """Stopped where the first picture would be drawn."""

    def stop(*_):
        raise ValueError('stopped')

    for name in ('IMG_1.jpg', 'IMG_2.JPG'):
        shutil.copy(FACE, tmp_path / name)
    cv2.imwrite(str(tmp_path / 'IMG_3.jpg'), np.full((100, 100, 3), 128, np.uint8))
    monkeypatch.setenv('PORTRAITS_DIR', str(tmp_path))
    monkeypatch.setattr(dataset, 'finished_shards', stop)
    assert main(['turn', '--output', str(tmp_path / 'out')]) == 2
    told = capsys.readouterr()
    assert '1 without a face (IMG_3.jpg)' in told.out and '1 people in 2 pictures: 1 train, 0 val, 0 test' in told.out
    assert 'nobody is held out' in told.err and 'PERSON_anything.jpg' in told.err and 'stopped' in told.err


@pytest.mark.parametrize(('names', 'counts', 'warned'), [
    (['C_1', 'C_2', 'E1_x', 'M_1', 'M_2'], '3 people in 5 pictures: 1 train, 1 val, 1 test', ''),
    ([f'IMG_{i:04d}' for i in range(30)], '1 people in 30 pictures: 1 train, 0 val, 0 test', "nobody is held out: .*IMG_0000 of 'IMG'"),
    (['E1_1', 'M_1', 'M_2'], '2 people in 3 pictures: 0 train, 1 val, 1 test', 'nobody is trained on'),
    (['C_1', 'C-2'], '2 people in 2 pictures: 2 train, 0 val, 0 test', "nobody is held out: .*C_1 of 'C'"),
])  # fmt: skip
def test_people_are_counted_by_their_names_and_a_side_without_anybody_is_warned_of(names, counts, warned, tmp_path, capsys):
    """C is trained on, E1 validates, M tests: `test_who_is_held_out_depends_on_nobody_else` has their hashes."""
    write_people(tmp_path, names)
    print_people(tmp_path)
    told = capsys.readouterr()
    assert counts in told.out and bool(told.err) == bool(warned) and re.match(warned, told.err)
