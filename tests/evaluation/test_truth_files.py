"""Truth files as spreadsheets, loggers and other tools write them: read alike, or refused with both ranges and the likely cause."""

import re
from dataclasses import replace

import numpy as np
import pytest
from bag_making import CAMERA, START_NS, Recording, Scene, compressed_message, info_message, scene_recording, write_bag

from c2f_head_pose.evaluation.bag import main
from c2f_head_pose.evaluation.evaluate import Options, evaluate_recording, load_estimator
from c2f_head_pose.evaluation.rotations import rotations_from_quaternions
from c2f_head_pose.evaluation.series import Series
from c2f_head_pose.evaluation.summary import summarise
from c2f_head_pose.evaluation.truth.csv_file import read_csv
from c2f_head_pose.evaluation.truth.heads import Truth
from c2f_head_pose.evaluation.truth.read import read_truth
from c2f_head_pose.evaluation.truth.stamps import describe_gap
from c2f_head_pose.geometry import rotation_from_ypr_deg, ypr_deg_from_rotation
from c2f_head_pose.recordings.bagfile import BagError

PLAIN = 'stamp_ns,id,yaw_deg,pitch_deg,roll_deg\n1500000000,ann,30,-20,10\n1600000000,ann,30.5,-20.5,10.5\n'
GERMAN = PLAIN.replace(',', ';').replace('30.5;-20.5;10.5', '30,5;-20,5;10,5')
WRITTEN = {
    'byte order mark': PLAIN.encode('utf-8-sig'),
    'UTF-16 of a spreadsheet': PLAIN.encode('utf-16'),
    'UTF-16 without a mark': PLAIN.encode('utf-16-le'),
    'UTF-16 of a big-endian machine': b'\xfe\xff' + PLAIN.encode('utf-16-be'),
    'blanks after commas': PLAIN.replace(',', ', ').encode(),
    'columns aligned with blanks': PLAIN.replace(',', '  ,   ').encode(),
    'Windows line ends': PLAIN.replace('\n', '\r\n').encode(),
    'old Macintosh line ends': PLAIN.replace('\n', '\r').encode(),
    'semicolons and decimal commas': GERMAN.encode('cp1252'),
    "a spreadsheet's separator line": f'sep=;\n{GERMAN}'.encode('utf-8-sig'),
    'tabs': PLAIN.replace(',', '\t').encode(),
    'comments and empty lines': f'# tracker 3.1\n\n{PLAIN}\n\n'.encode(),
    'quoted cells': PLAIN.replace('ann', '"ann"').replace('stamp_ns', '"stamp_ns"').encode(),
    'capitals': PLAIN.replace('stamp_ns,id', 'Stamp_NS,ID').encode(),
    'stamps as pandas writes them': PLAIN.replace('1500000000,', '1500000000.0,').replace('1600000000,', '1.6e9,').encode(),
    'microseconds': PLAIN.replace('stamp_ns', 'stamp_us').replace('00000000,', '00000,').encode(),
    'milliseconds': PLAIN.replace('stamp_ns', 'stamp_ms').replace('00000000,', '00,').encode(),
    'a last line that is cut off': (PLAIN + '17000').encode(),
    'more columns than are needed': PLAIN.replace('roll_deg', 'roll_deg,comment').replace('10\n', '10,"x, y"\n').encode(),
}


@pytest.mark.parametrize('name', WRITTEN)
def test_a_truth_file_gives_the_same_rotations_from_every_tool(tmp_path, name):
    (tmp_path / 't.csv').write_bytes(WRITTEN[name])
    (head,) = read_csv(tmp_path / 't.csv').heads
    assert head.name == 'ann' and head.stamps_s.tolist() == [1.5, 1.6]
    assert np.allclose(ypr_deg_from_rotation(rotations_from_quaternions(head.quaternions)), [[30, -20, 10], [30.5, -20.5, 10.5]], atol=1e-4)


def test_nanoseconds_of_today_keep_their_digits(tmp_path):
    """1.7e18 does not fit into a float: read as one it would be up to 128 ns off; in seconds the rest fits to 240 ns."""
    (tmp_path / 't.csv').write_text('stamp_ns,yaw_deg,pitch_deg,roll_deg\n1700000000123456789,1,2,3\n')
    assert read_csv(tmp_path / 't.csv').heads[0].stamps_s.tolist() == [1700000000 + 1e-9 * 123456789]


@pytest.mark.parametrize('unknown', ['', ' ', 'nan', 'NaN', 'NULL', 'n/a', '-'])
def test_an_empty_cell_is_unknown_and_costs_its_row_alone(tmp_path, unknown):
    """The second of three rows has no pitch; the third has a rotation, but no position."""
    (tmp_path / 't.csv').write_text(
        f'stamp_s,yaw_deg,pitch_deg,roll_deg,x_m,y_m,z_m\n1,10,0,0,0.1,0,0.7\n2,20,{unknown},0,0,0,1\n3,30,0,0,{unknown},0,1\n'
    )
    truth = read_csv(tmp_path / 't.csv')
    (head,) = truth.heads
    assert head.stamps_s.tolist() == [1.0, 3.0] and '1 rows without a rotation left out' in truth.source
    assert np.allclose(head.position_at(1.0, 9.0), [0.1, 0, 0.7])
    assert head.position_at(2.0, 9.0) is None and head.position_at(3.0, 9.0) is None
    assert truth.places_heads(CAMERA)  # by the positions that are known


def test_radians_are_read_by_their_name(tmp_path):
    (tmp_path / 't.csv').write_text(f'stamp_s,yaw_rad,pitch_rad,roll_rad\n1,{np.pi / 6},{-np.pi / 9},{np.pi / 18}\n')
    R = rotations_from_quaternions(read_csv(tmp_path / 't.csv').heads[0].quaternions)[0]
    assert np.allclose(R, rotation_from_ypr_deg(np.array([30.0, -20.0, 10.0])), atol=1e-6)


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('stamp_s,yaw,pitch,roll\n1,2,3,4\n', 'have no unit: name them yaw_deg, pitch_deg, roll_deg, or _rad'),
        ('time,yaw_deg,pitch_deg,roll_deg\n1,2,3,4\n', 'its columns are pitch_deg, roll_deg, time, yaw_deg'),
        ('stamp_s,yaw_deg,pitch_deg,roll_deg\n1,2\n2,3,4,5\n', 'line 2: it has 2 cells, 4 are needed'),
        ('stamp_s,yaw_deg,pitch_deg,roll_deg\nnoon,2,3,4\n', "line 2: 'noon' is no number"),
        ('stamp_s,yaw_deg,pitch_deg,roll_deg\n1e30,2,3,4\n', 'is no stamp'),
        ('stamp_s,yaw_deg,pitch_deg,roll_deg\n1,,,\n', 'the truth is empty'),
        (
            'stamp_s,yaw_deg,pitch_deg,roll_deg,x,y,z\n1,2,3,4,0,0,1\n',
            'the unit of x, y, z is missing: name them x_m, y_m, z_m if they are metres',
        ),
        ('stamp_s,yaw_deg,pitch_deg,roll_deg,x_m,y_m,z\n1,2,3,4,0,0,1\n', 'the unit of z is missing: name them z_m'),
        ('stamp_s,yaw_deg,pitch_deg,roll_deg,x_m,z_m\n1,2,3,4,0,1\n', 'y_m is missing'),
    ],
)
def test_a_truth_file_that_cannot_be_read_is_refused_with_the_place_and_the_remedy(tmp_path, text, words):
    (tmp_path / 't.csv').write_text(text)
    with pytest.raises(BagError, match=words):
        read_csv(tmp_path / 't.csv')


def two_people(column: str, apart_deg: float) -> str:
    """Two rows at each stamp, in any order: a head that turns, and one with another yaw."""
    rows = [(t, name, 10.0 * t + yaw) for name, yaw in (('ann', 0.0), ('bob', apart_deg)) for t in (1, 2, 3)]
    return f'stamp_s,{column},yaw_deg,pitch_deg,roll_deg,x,y\n' + ''.join(f'{t},{name},{yaw},0,0,7,7\n' for t, name, yaw in rows)


@pytest.mark.parametrize('column', ['person', 'track_id', 'face_id'])
def test_two_people_whose_names_are_in_another_column_than_id_are_not_one_head(tmp_path, column):
    (tmp_path / 't.csv').write_text(two_people(column, 40.0))
    words = f"at 1.000 s are two rotations, 40 degrees apart, both of 'head': give each person a name in the column id; .*: {column}, x, y"
    with pytest.raises(BagError, match=words):
        read_csv(tmp_path / 't.csv')
    (tmp_path / 't.csv').write_text(two_people('id', 40.0))
    assert [head.name for head in read_csv(tmp_path / 't.csv').heads] == ['ann', 'bob']


def test_rows_of_one_head_whose_rounded_stamps_are_equal_are_read(tmp_path):
    """A tracker at 1 kHz with stamps to 10 ms: a head that turns at 300 deg/s has turned by 3 degrees until its next stamp."""
    (tmp_path / 't.csv').write_text(two_people('source', 3.0))
    (head,) = read_csv(tmp_path / 't.csv').heads
    assert head.stamps_s.tolist() == [1.0, 2.0, 3.0]


def test_columns_that_are_not_used_are_noted(tmp_path):
    """x and y may be pixels, so they are noted and no position without a unit; a separator at the end of a line makes no column."""
    (tmp_path / 't.csv').write_text('stamp_s,stamp_ns,yaw_deg,pitch_deg,roll_deg,x,y,\n1,1000000000,2,3,4,5,6,\n')
    assert read_csv(tmp_path / 't.csv').notes == (f'{tmp_path / "t.csv"}: columns that are not used: stamp_s, x, y',)
    (tmp_path / 't.csv').write_text(PLAIN)
    assert read_csv(tmp_path / 't.csv').notes == ()
    (tmp_path / 't.csv').write_text(two_people('id', 40.0))
    assert len(read_truth(None, 2 * [str(tmp_path / 't.csv')], '').notes) == 2


NOW_S = START_NS / 1e9
IMAGES_S = NOW_S + np.arange(60) / 15


def truth_at(tmp_path, stamps_s) -> Truth:
    rows = ''.join(f'{t!r},10,5,0\n' for t in np.asarray(stamps_s).tolist())
    (tmp_path / 't.csv').write_text(f'stamp_s,yaw_deg,pitch_deg,roll_deg\n{rows}')
    return read_csv(tmp_path / 't.csv')


@pytest.mark.parametrize(
    ('stamps_s', 'words'),
    [
        (np.arange(60) / 15, 'seconds since its own start: add the time of its start, 1700000000.000 s'),
        (1e3 * IMAGES_S, 'looks like milliseconds: name its column of stamps stamp_ms'),
        (1e6 * IMAGES_S, 'looks like microseconds: name its column of stamps stamp_us'),
        (1e9 * IMAGES_S, 'looks like nanoseconds: name its column of stamps stamp_ns'),
        (1e-3 * IMAGES_S, r'1,000 times too small'),
        (IMAGES_S + 7200, r'\+2 h apart: one of the two clocks shows local time'),
        (IMAGES_S - 5 * 3600 + 1.5, r'-5 h apart'),
        (IMAGES_S + 100, r'\+100\.000 s off: give --truth-offset-s'),
        (IMAGES_S[::10], r'0\.667 s apart, more than the 0\.1 s that are interpolated over'),
    ],
)
def test_stamps_that_do_not_meet_are_reported_with_both_ranges_and_the_likely_cause(tmp_path, stamps_s, words):
    """60 images at 15 Hz from 1.7e9 s on, so to 1700000003.933; the last case meets them, but only every tenth image has a sample."""
    gap = describe_gap(truth_at(tmp_path, stamps_s), IMAGES_S + (0.01 if 'apart, more' in words else 0), 0.1)
    assert re.search(words, gap), gap
    assert 'interpolated' in gap or ('1700000000.000 to 1700000003.933' in gap and f'from {min(stamps_s):.3f}' in gap)


def test_stamps_that_meet_have_no_gap(tmp_path):
    assert describe_gap(truth_at(tmp_path, IMAGES_S + 1), IMAGES_S, 0.1) is None


def test_images_without_a_clock_are_distinguished_from_a_truth_without_one(tmp_path):
    gap = describe_gap(truth_at(tmp_path, IMAGES_S), np.arange(1, 20) / 10, 0.1)
    assert 'the images look stamped with seconds since their own start' in gap


@pytest.fixture(scope='module')
def turning(tmp_path_factory):
    """Two seconds of a face that rolls by 38 degrees, without truth of its own, and that truth as angles in degrees."""
    folder = tmp_path_factory.mktemp('turning')
    scene = Scene(duration_s=2.0, roll_deg=lambda t: 38 * np.sin(2 * np.pi * 0.4 * t))
    path = write_bag(folder / 'bag', scene_recording(scene, truth='none'))
    angles = [(START_NS + round(t * 1e9), *ypr_deg_from_rotation(scene.truth(t)).tolist()) for t in scene.times_s]
    return path, angles, load_estimator(Options())


def evaluated(tmp_path, turning, scale):
    path, angles, estimator = turning
    lines = [f'{ns},{",".join(repr(scale * a) for a in ypr)}' for ns, *ypr in angles]
    (tmp_path / 't.csv').write_text('stamp_ns,yaw_deg,pitch_deg,roll_deg\n' + '\n'.join(lines) + '\n')
    return evaluate_recording(path, 'bag', tmp_path / 'out', Options(video=False, truth=(str(tmp_path / 't.csv'),)), estimator)


def test_radians_in_columns_of_degrees_are_reported(tmp_path, turning):
    """A roll of 38 degrees is 0.66 radians: as degrees the head would hardly turn, against estimates that do."""
    done = evaluated(tmp_path, turning, np.pi / 180)
    assert [error for error in done.errors if 'fit much better as radians than as degrees: name their columns yaw_rad' in error]


def test_degrees_are_not_taken_for_radians(tmp_path, turning):
    assert evaluated(tmp_path, turning, 1.0).errors == []


@pytest.mark.parametrize('name', ['t.csf', 'T.CSV', 't.tsv', 'truth'])
def test_a_file_is_read_whatever_its_ending(tmp_path, name):
    (tmp_path / name).write_text(PLAIN)
    assert [head.name for head in read_truth(None, [str(tmp_path / name)], '').heads] == ['ann']


@pytest.mark.parametrize(
    ('text', 'words'),
    [
        ('time,yaw_deg,pitch_deg,roll_deg\n1,2,3,4\n', 'its columns are pitch_deg, roll_deg, time, yaw_deg'),
        (two_people('person', 40.0), 'give each person a name in the column id'),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_before_anything_is_evaluated(tmp_path, capsys, text, words):
    (tmp_path / 'drive.csf').write_text(text)
    assert main([str(tmp_path / 'bag'), '--output', str(tmp_path / 'out'), '--truth', str(tmp_path / 'drive.csf')]) == 2
    said = capsys.readouterr().err
    assert said.startswith('evaluate_bag: --truth: ') and words in said and not (tmp_path / 'out').exists()


def test_the_report_names_the_columns_that_are_not_used(tmp_path, turning):
    path, angles, estimator = turning
    lines = ''.join(f'{ns},7,{y!r},{p!r},{r!r}\n' for ns, y, p, r in angles)
    (tmp_path / 't.csv').write_text(f'stamp_ns,quality,yaw_deg,pitch_deg,roll_deg\n{lines}')
    options = Options(video=False, poses=False, truth=(str(tmp_path / 't.csv'),), limit=2)
    done = evaluate_recording(path, 'bag', tmp_path / 'out', options, estimator)
    assert done.errors == [] and done.notes[f'{tmp_path / "t.csv"}: columns that are not used: quality'] == 1


def test_faces_after_the_end_of_a_complete_truth_are_not_false(tmp_path, turning):
    """30 images at 15 Hz with a face each. The truth has the first 12; at the other 18 it is unknown, which their faces do not pay for."""
    path, angles, estimator = turning
    lines = ''.join(f'{ns},{y!r},{p!r},{r!r}\n' for ns, y, p, r in angles[:12])
    (tmp_path / 't.csv').write_text(f'stamp_ns,yaw_deg,pitch_deg,roll_deg\n{lines}')
    options = Options(video=False, poses=False, truth=(str(tmp_path / 't.csv'),), truth_complete=True)
    done = evaluate_recording(path, 'bag', tmp_path / 'out', options, estimator)
    assert done.errors == [] and [n for note, n in done.notes.items() if 'the truth is unknown' in note] == [18]
    done.scored.series.save(tmp_path / 'series.npz')
    stored = replace(done.scored, series=Series.load(tmp_path / 'series.npz'))
    for scored in (done.scored, stored):
        detection = summarise([scored])['detection']
        assert (detection['true_heads'], detection['unmatched'], detection['false_faces']) == (12, 18, 0)


def test_the_evaluation_ends_with_both_ranges_where_a_truth_has_its_own_clock(tmp_path, turning):
    path, angles, estimator = turning
    (tmp_path / 't.csv').write_text(
        'stamp_s,yaw_deg,pitch_deg,roll_deg\n' + ''.join(f'{(ns - START_NS) / 1e9!r},{y!r},{p!r},{r!r}\n' for ns, y, p, r in angles)
    )
    done = evaluate_recording(path, 'bag', tmp_path / 'out', Options(video=False, truth=(str(tmp_path / 't.csv'),)), estimator)
    assert 'stamps from 0.000 to 1.933 s, the images have stamps from 1700000000.000 to 1700000001.933 s' in done.errors[0]
    assert 'since its own start' in done.errors[0]


def test_a_face_that_is_never_found_is_not_blamed_on_the_stamps(tmp_path, turning):
    _, angles, estimator = turning
    made = Recording()
    for ns, *_ in angles[:5]:
        made.add(
            '/image/compressed',
            'sensor_msgs/msg/CompressedImage',
            ns,
            lambda s, ns=ns: compressed_message(s, np.full((480, 640, 3), 90, np.uint8), ns),
        )
        made.add('/image/camera_info', 'sensor_msgs/msg/CameraInfo', ns, lambda s, ns=ns: info_message(s, CAMERA, ns))
    (tmp_path / 't.csv').write_text('stamp_ns,yaw_deg,pitch_deg,roll_deg\n' + ''.join(f'{ns},10,5,0\n' for ns, *_ in angles))
    path = write_bag(tmp_path / 'bag', made)
    done = evaluate_recording(path, 'bag', tmp_path / 'out', Options(video=False, truth=(str(tmp_path / 't.csv'),)), estimator)
    assert done.errors == ['no face could be compared with the truth: no face was found where the truth has a head']
