"""Folders of pictures read as recordings."""

import cv2
import numpy as np
import pytest
from both_readers import read

from c2f_head_pose.evaluation import bag as evaluate_bag
from c2f_head_pose.recordings.bagfile import BagFile
from c2f_head_pose.recordings.reader import Notes, read_frames
from c2f_head_pose.recordings.topics import choose_topics


def test_a_folder_of_pictures_is_read_by_both_without_hidden_and_broken_ones(tmp_path):
    """A superscript 2 is no number; a macOS archive's `._` files are no pictures; a broken one is left out and counted."""
    for name, value in (('1.png', 10), ('2.png', 20), ('10.png', 100), ('\u00b23.jpg', 200)):
        cv2.imwrite(str(tmp_path / name), np.full((4, 6, 3), value, np.uint8))
    (tmp_path / '._1.png').write_bytes(b'\x00\x05\x16\x07')
    (tmp_path / '7.png').write_bytes(b'\x89PNG cut off')
    found, said, _ = read(tmp_path)
    assert [round(value, -1) for value in found] == [10, 20, 100, 200]
    assert len(said) == 1 and '7.png cannot be read' in said[0]


def test_pictures_are_evaluated_at_the_rate_that_is_given(tmp_path):
    for number in range(3):
        cv2.imwrite(str(tmp_path / f'{number}.png'), np.full((4, 6, 3), number, np.uint8))
    with BagFile(tmp_path, picture_rate_hz=4.0) as bag:
        assert [frame.stamp_s for frame in read_frames(bag, choose_topics(bag), Notes())] == [1.0, 1.25, 1.5]


@pytest.mark.parametrize('number, counted', [(1, '1 image in '), (2, '2 images in ')])
def test_the_pictures_of_a_folder_are_counted_in_the_singular_or_plural(tmp_path, capsys, number, counted):
    (tmp_path / 'in').mkdir()
    for name in range(number):
        cv2.imwrite(str(tmp_path / 'in' / f'{name}.png'), np.full((120, 160, 3), 90, np.uint8))
    assert evaluate_bag.main([str(tmp_path / 'in'), '--output', str(tmp_path / 'out')]) == 0
    assert capsys.readouterr().out.count(counted) == 1


def test_a_name_that_is_not_utf8_is_refused_before_a_recording_is_read(tmp_path, capsys):
    """OpenCV's VideoWriter ends the process on such a folder, and the report's title holds the recording's name."""
    for folder in ('in', 'in\udce9'):
        (tmp_path / folder).mkdir()
        cv2.imwrite(str(tmp_path / 'image.png'), np.full((120, 160, 3), 90, np.uint8))
        (tmp_path / folder / '0.png').write_bytes((tmp_path / 'image.png').read_bytes())
    assert evaluate_bag.main([str(tmp_path / 'in'), '--output', str(tmp_path / 'out\udce9')]) == 2
    assert evaluate_bag.main([str(tmp_path / 'in\udce9'), '--output', str(tmp_path / 'out')]) == 2
    said = capsys.readouterr().err
    assert r'out\xe9 cannot be used: its name is not UTF-8; rename it' in said and r'in\xe9 cannot be used' in said
    assert not (tmp_path / 'out').exists()
