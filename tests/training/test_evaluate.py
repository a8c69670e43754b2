"""The evaluation of models: frames, crops, the checkpoint's own configuration, what is left on file."""

import csv
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from real_sets import write_biwi
from tiny_training import ALONE, all_knowing

from c2f_head_pose import crop, geometry
from c2f_head_pose.bench import scenes
from c2f_head_pose.evaluation import metrics
from sample import frames
from training import evaluate
from training.data.augment import centred_view
from training.data.crops import SyntheticCrops
from training.datasets import label_sheet
from training.datasets.base import Face
from training.datasets.face_crops import detected
from training.datasets.real_crops import RealCrops
from training.datasets.registry import open_faces
from training.evaluation import measure, report, results
from training.evaluation.model_file import Model, open_model
from training.loop import checkpoint
from training.loop.config import config_of
from training.loop.run import Run
from training.loop.validate import held_out
from training.synthetic import stand_in

TINY = {'kind': 'coarse_to_fine', 'size': 48, 'stem': 4, 'widths': [8], 'depths': [1], 'embedding': 16, 'hidden': 4, 'squeeze': 4}


@pytest.fixture(scope='module')
def heads(tmp_path_factory):
    folder = tmp_path_factory.mktemp('heads')
    stand_in.write(folder, 60, 96)
    return folder


@pytest.fixture(scope='module')
def trained(heads, tmp_path_factory):
    """A network of one step whose pictures stay clean and whose poses stay within 25 degrees."""
    out = tmp_path_factory.mktemp('run')
    config = config_of({
        'name': 'tiny', 'network': TINY, 'loss': {'kind': 'coarse_to_fine'}, 'batch': 8, 'steps': 1, 'precision': 'fp32',
        'pose_limits_deg': [25, 25, 90], 'augment': {'margin': 1.9, 'photometric': None, 'roll_wide_share': 0.0}})  # fmt: skip
    crops = SyntheticCrops([heads], 'train', False, config.pose_limits_deg)
    Run(config, crops, None, out, ALONE).go()
    return out / 'final.pt'


def test_a_checkpoint_is_disturbed_as_it_was_trained(trained, heads):
    """Its own margin, clean pictures and pose limits, not the default ones."""
    model = open_model(trained, 'cpu')
    _, crops, truth, _ = measure.rendered_answers(model, heads, True, None)
    own, R = held_out(SyntheticCrops([heads], None, False, (25, 25, 90)), model.config)
    assert len(truth) == len(R) < 60 and torch.equal(crops, own) and np.array_equal(truth, R)
    _, more, _, _ = measure.rendered_answers(replace(model, config=None), heads, True, None)
    assert len(more) == 60


def test_opening_a_model_does_not_change_pytorchs_threads_without_the_option(trained, heads):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        open_model(trained, 'cpu')
        assert torch.get_num_threads() == 2
        assert evaluate.main([str(trained), f'synthetic:{heads}', '--device', 'cpu']) == 0
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize('modality', ['rgb', 'depth'])
def test_a_face_off_axis_is_judged_in_the_cameras_frame_and_its_category_in_the_crops(modality, tmp_path):
    """A head 0.3 m beside the axis at 1 m, turned 2 degrees: its ray leads 16.7 degrees aside, and the crop shows the other category."""
    R_cam = geometry.rotation_from_ypr_deg(np.array([2.0, 5.0, 3.0]))
    write_biwi(tmp_path / '01', R_cam @ geometry.HEAD_AXES.T, centre_mm=(300, 0, 1000))
    face = open_faces('biwi', tmp_path)[0]
    ray = geometry.ray_rotation(np.array([0.3, 0.0, 1.0]))
    seen = ray.T @ R_cam
    assert geometry.category_index(seen) != geometry.category_index(R_cam)
    row = measure.evaluate_faces(all_knowing(seen[None], modality=modality), [face], 'box').row
    assert row['geodesic'] < 0.2 and row['coarse'] == 1 and row['within_1'] == 1


@pytest.mark.parametrize(('camera', 'yaw_deg'), [('554,554,319.5,239.5', 28.8), (',,,', 0.0)])
def test_own_labels_are_in_the_frame_of_the_camera_that_the_file_gives(camera, yaw_deg, tmp_path, monkeypatch):
    """A head that looks into the lens from the edge of a 60 degree picture: 305 px from its middle, atan(305 / 554) = 28.8 degrees.

    Its crop shows 0, 0, 0, which is what a network is taught and answers, by box and detector. Labels in the camera's frame are 28.8, 0, 0;
    those of a line without a camera are relative to the ray, as a package without a calibration states them.
    """
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((480, 640, 3), 128, np.uint8))
    header = 'image,x1,y1,x2,y2,yaw_deg,pitch_deg,roll_deg,fx,fy,cx,cy\n'
    (tmp_path / 'faces.csv').write_text(f'{header}a.png,600,200,650,280,{yaw_deg},0,0,{camera}\n')
    faces = open_faces(f'csv:{tmp_path / "faces.csv"}')
    assert geometry.geodesic_deg(RealCrops(faces).R_crop_head[0].numpy(), geometry.HEAD_AXES) < 0.2
    model = all_knowing(geometry.HEAD_AXES[None])
    monkeypatch.setattr(measure, 'detected', lambda faces, threads: faces)
    for result in (measure.evaluate_faces(model, faces, 'box'), measure.evaluate_detected(model, 'x.pt', faces)):
        assert result.row['geodesic'] < 0.2 and result.row['yaw'] < 0.2
    package = measure.evaluate_detected(open_model('c2f_edge', 'cpu'), 'c2f_edge', faces, device='cpu')
    seen = measure.evaluate_faces(open_model('c2f_edge', 'cpu'), faces, 'detector')
    assert geometry.geodesic_deg(package.R[0], seen.R[0]) < 0.01
    drawn = []
    monkeypatch.setattr(label_sheet, 'draw_axes', lambda tile, R, thickness: drawn.append(R) or tile)
    label_sheet.axis_sheet(faces, tmp_path / 'axes.png')
    assert geometry.geodesic_deg(drawn[0], geometry.HEAD_AXES) < 0.2


def test_the_detectors_crop_is_the_packages():
    """The network run on crops by the name 'detector' answers as the package does on the pictures, in the camera's frame."""
    faces = [Face(str(i), geometry.ypr_deg_from_rotation(f.R_cam_head), lambda f=f: f.image, K=f.camera.K)
             for i, f in enumerate(frames()[::40])]  # fmt: skip
    model = open_model('c2f_edge', 'cpu')
    package = measure.evaluate_detected(model, 'c2f_edge', faces, device='cpu')
    crops = measure.evaluate_faces(model, detected(faces), 'detector')
    assert package.row['detected'] > 0.9 and package.row['n'] == crops.row['n'] == len(detected(faces))
    assert geometry.geodesic_deg(package.R, crops.R).max() < 0.01
    assert np.array_equal(package.crops, crops.crops) and package.row['coarse'] == crops.row['coarse']
    assert package.row['geodesic'] < 10


def test_faces_are_looked_for_where_they_are_labelled(trained):
    """Of two faces side by side the labelled one is taken, the surer one without a label; an empty picture has none."""
    picture, empty = scenes.picture(2), np.full((480, 640, 3), 100, np.uint8)
    boxes = [detected([Face('x', np.zeros(3), lambda side=side: side)])[0].box for side in (picture * (np.arange(640) < 320)[None, :, None],
             picture * (np.arange(640) >= 320)[None, :, None])]  # fmt: skip
    labelled = [Face(str(i), np.zeros(3), lambda: picture, box=box) for i, box in enumerate(boxes)]
    found = detected([*labelled, Face('empty', np.zeros(3), lambda: empty)])
    assert [face.name for face in found] == ['0', '1'] and all(a.box.iou(b) > 0.6 for a, b in zip(found, boxes))
    result = measure.evaluate_detected(open_model(trained, 'cpu'), str(trained), [*labelled, Face('empty', np.zeros(3), lambda: empty)])
    assert result.row['n'] == 2 and result.row['detected'] == pytest.approx(2 / 3) and result.row['crop'] == 'detector'
    with pytest.raises(ValueError, match='found none of the labelled faces'):
        measure.evaluate_detected(open_model(trained, 'cpu'), str(trained), [Face('empty', np.zeros(3), lambda: empty)])


def turned(degrees):
    """(N, 3, 3) of heads turned by yaws in degrees, beyond 90 too."""
    return np.array([geometry.HEAD_AXES @ geometry.rotation_from_vector(np.radians([0.0, 0.0, d])) for d in degrees])


def test_the_worst_faces_may_face_away(tmp_path, monkeypatch):
    """40 poses: 38 wrong by a degree, two that face away by 50 and 60; those come first on the sheet of 32."""
    truth, R = turned([*range(38), 120, 150]), turned([*range(1, 39), 170, 210])
    names = [str(i) for i in range(40)]
    result = measure.collect(
        all_knowing(R), names, geometry.ypr_deg_from_rotation(truth), R, np.full((40, 3), 0.1), np.zeros((40, 4)),
        np.zeros((40, 8, 8), np.uint8), 'landmarks', truth, metrics.rotation_errors(truth, R))  # fmt: skip
    result.row['set'] = 'x'
    drawn = []
    monkeypatch.setattr(report.cv2, 'putText', lambda tile, text, *rest: drawn.append(text))
    report.write_report(tmp_path, result)
    assert len(drawn) == 32 and drawn[:2] == ['39', '38']


def test_categories_are_counted_by_their_distance_from_a_border_and_older_files_keep_their_columns(tmp_path):
    """Yaws and pitches of 0.5, 2, 4, 7 and 12 degrees; those within 3 are put into the wrong category: 3/5, 3/4, 3/3."""
    truth = geometry.rotation_from_ypr_deg(np.array([[a, a, 0.0] for a in (0.5, 2.0, 4.0, 7.0, 12.0)]))
    logits = np.eye(4)[[2, 2, 0, 0, 0]]
    row = measure.collect(
        all_knowing(truth), list('abcde'), geometry.ypr_deg_from_rotation(truth), truth, np.full((5, 3), 0.1), logits,
        np.zeros((5, 8, 8), np.uint8), 'landmarks', truth, metrics.rotation_errors(truth, truth)).row  # fmt: skip
    assert [row[name] for name in ('coarse', *(f'coarse_beyond_{d}' for d in (1, 3, 5, 10)))] == [0.6, 0.75, 1, 1, 1]
    old = tmp_path / 'summary.csv'
    old.write_text('model,coarse_beyond_3,commit\nm,0.5,x\n')
    report.write_rows(old, [row])
    report.write_rows(tmp_path / 'new.csv', [row])
    assert [list(r) for r in csv.DictReader(open(old, newline=''))] == [['model', 'coarse_beyond_3', 'commit']] * 2  # noqa: SIM115
    (new,) = csv.DictReader(open(tmp_path / 'new.csv', newline=''))  # noqa: SIM115
    assert new['coarse_beyond_1'] == '0.75' and new['coarse_beyond_10'] == '1'


def write_faces(folder, count):
    """Gray pictures, the i-th turned by i degrees, in a csv."""
    lines = ['image,x1,y1,x2,y2,yaw_deg,pitch_deg,roll_deg']
    for i in range(count):
        cv2.imwrite(str(folder / f'{i}.png'), np.full((60, 60, 3), 50 + i, np.uint8))
        lines.append(f'{i}.png,10,10,50,50,{i},0,0')
    (folder / 'faces.csv').write_text('\n'.join(lines) + '\n')
    return folder / 'faces.csv'


def test_a_limit_takes_faces_from_all_over_the_set(trained, tmp_path):
    """3 of 5: the first, the middle, the last; their crop may be named with the set."""
    path = write_faces(tmp_path, 5)
    model = open_model(trained, 'cpu')
    result = measure.run_set(model, str(trained), f'csv:{path}@box', None, None, 3, 1)
    assert result.names == ['0.png', '2.png', '4.png'] and result.row['set'] == 'csv:faces.csv'
    assert len(measure.run_set(model, str(trained), f'csv:{path}', None, None, None, 1).names) == 5


def test_a_box_of_ones_own_is_cut_as_the_package_cuts_a_detectors_box(tmp_path):
    """A box 40 wide and 52 high, a network of 1.5 times the landmarks: the detector's margin is 1.5 / 1.3, the square 60 wide.

    Trained on at that width too: the stored crop is 2.2 / 1.3 boxes wide, 88 of 96 pixels of a picture, and 1.5 / 2.2 of it are 60.
    """
    cv2.imwrite(str(tmp_path / 'a.png'), np.random.default_rng(1).integers(0, 256, (120, 120, 3), np.uint8))
    (tmp_path / 'faces.csv').write_text('image,x1,y1,x2,y2,yaw_deg,pitch_deg,roll_deg\na.png,40,34,80,86,10,0,0\n')
    faces, model = open_faces(f'csv:{tmp_path / "faces.csv"}'), all_knowing(np.eye(3)[None])
    square = crop.square_about(faces[0].box, model.detector_margin)
    assert square == crop.CropSquare(30, 30, 60)
    assert np.array_equal(measure.crops_of(faces, 'box', model)[0, 0], crop.cut_gray(faces[0].read(), square, model.size))
    own = RealCrops(faces, 96)
    assert 2 * centred_view(own.gather(np.array([0])), 1.5).half[0, 0] * 88 / 96 == pytest.approx(60, abs=1e-3)


@pytest.mark.parametrize(('yaws_deg', 'angles'), [((0, 100), True), ((100, 120), False)])
def test_heads_turned_away_are_counted_and_have_no_errors_of_angles(trained, tmp_path, yaws_deg, angles):
    """One of two heads, then both: there are no angles at all then, which are dashes and empty cells, with the reason beside them."""
    lines = write_faces(tmp_path, 121).read_text().splitlines()
    (tmp_path / 'faces.csv').write_text('\n'.join([lines[0], *(lines[1 + yaw] for yaw in yaws_deg)]))
    row = measure.run_set(open_model(trained, 'cpu'), str(trained), f'csv:{tmp_path / "faces.csv"}', None, None, None, 1).row
    text, away = report.line(row), 1 if angles else 2
    assert f'n 2 ({away} turned beyond 90 degrees: without angles)' in text and 'nan' not in text
    assert ('yaw - pitch - roll - MAE - geodesic' in text) is not angles
    report.write_rows(tmp_path / 'summary.csv', [row])
    (stored,) = csv.DictReader((tmp_path / 'summary.csv').open(newline=''))
    assert stored['turned_away'] == str(away) and stored['geodesic'] and bool(stored['mae']) is angles


def test_estimates_beyond_the_profile_are_counted_beside_what_they_add_to_pitch_and_roll(tmp_path):
    """The third head is itself turned away by 100 degrees: it has no errors of angles, nor any that jump."""
    truth = geometry.rotation_from_ypr_deg(np.array([[88.0, 5.0, 2.0], [10.0, 5.0, 2.0], [100.0, 5.0, 2.0]]))
    R = geometry.rotation_from_ypr_deg(np.array([[92.0, 8.0, 5.0], [10.0, 5.0, 2.0], [85.0, 5.0, 2.0]]))
    row = measure.collect(
        all_knowing(R), list('abc'), geometry.ypr_deg_from_rotation(truth), R, np.full((3, 3), 0.1), np.zeros((3, 4)),
        np.zeros((3, 8, 8), np.uint8), 'landmarks', truth, metrics.rotation_errors(truth, R)).row  # fmt: skip
    assert row['pitch'] == pytest.approx(177 / 2)
    assert '(1 estimated beyond a yaw of 90 degrees' in report.line({**row, 'set': 'x'})
    assert report.line({**row, 'set': 'x'}).endswith('without jumps yaw 2.00 pitch 1.50 roll 1.50)')
    report.write_rows(tmp_path / 'summary.csv', [row])
    (stored,) = csv.DictReader((tmp_path / 'summary.csv').open(newline=''))
    assert (stored['beyond_90'], stored['nearer_pitch']) == ('1', '1.5')


def test_axes_are_drawn_into_a_new_folder(tmp_path):
    evaluate.main(['--axes', f'csv:{write_faces(tmp_path, 2)}', '--out', str(tmp_path / 'new' / 'folder')])
    assert (tmp_path / 'new' / 'folder' / 'axes.png').exists()


def test_a_recorded_command_names_every_option_and_no_folder_outside(trained, heads, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'faces').mkdir()
    write_faces(tmp_path / 'faces', 2)
    arguments = [str(trained), f'synthetic:{heads}', 'csv:faces/faces.csv', '--split', 'all', '--within', '40', '30', '--device', 'cpu']
    evaluate.main([*arguments, '--limit', '2', '--out', str(tmp_path / 'out')])
    for row in csv.DictReader(open(tmp_path / 'out' / 'summary.csv', newline='')):  # noqa: SIM115
        assert row['command'] == (
            f'python -m training.evaluate FOLDER/final.pt synthetic:FOLDER/{heads.name} csv:faces/faces.csv '
            '--split all --within 40 30 --device cpu --limit 2 --out out'
        )
    assert results.command_of('training.x', ['../a/b', '--data=/c/d e']) == "python -m training.x FOLDER/b '--data=FOLDER/d e'"


def rows_of(folder):
    """Rows of an evaluation's summary, and the faces that its files name."""
    with open(folder / 'summary.csv', newline='') as file:
        rows = list(csv.DictReader(file))
    return rows, [[face['true_yaw_deg'] for face in csv.DictReader((folder / f'{row["files"]}.csv').open(newline=''))] for row in rows]


def test_different_results_have_different_files_and_the_same_result_replaces_its_own(trained, heads, tmp_path, monkeypatch):
    """Of two files of one name, two models of one name, and a limit each row has its own files; once more, and the last row is new."""
    monkeypatch.setattr(report.plots, 'error_by_pose', lambda path, *rest: None)
    monkeypatch.setattr(Model, 'milliseconds', lambda *rest: 1.0)
    content = dict(checkpoint.load(trained))
    content.pop('format')
    checkpoint.save(tmp_path / 'other.pt', **{**content, 'average': content['network'] | {
        name: value + 0.1 for name, value in content['average'].items() if name.endswith('bias')}})  # fmt: skip
    for name, count in (('a', 2), ('b', 3)):
        (tmp_path / name).mkdir()
        write_faces(tmp_path / name, count)
    out = tmp_path / 'out'
    commands = [
        [str(trained), f'csv:{tmp_path}/a/faces.csv', f'csv:{tmp_path}/b/faces.csv@box'],
        [str(tmp_path / 'other.pt'), f'csv:{tmp_path}/a/faces.csv'],
        [str(trained), f'csv:{tmp_path}/b/faces.csv', '--limit', '1'],
    ]
    for command in commands:
        assert evaluate.main([*command, '--out', str(out), '--device', 'cpu']) == 0
    rows, faces = rows_of(out)
    assert [len(of) for of in faces] == [2, 3, 2, 1] and len({row['files'] for row in rows}) == 4
    assert all((out / f'{row["files"]}_worst.png').exists() for row in rows)
    assert all(row['files'].startswith('tiny_csv_faces.csv_box_') for row in rows)
    write_faces(tmp_path / 'b', 4)
    assert evaluate.main([str(trained), f'csv:{tmp_path}/b/faces.csv', '--out', str(out), '--device', 'cpu']) == 0
    again, faces = rows_of(out)
    assert [len(of) for of in faces] == [2, 2, 1, 4] and again[-1]['files'] == rows[1]['files'] and again[-1]['n'] == '4'


@pytest.mark.parametrize('name', ['c2f_edge', 'c2f_edge_int8', 'c2f_depth'])
def test_a_files_precision_is_in_its_name(name):
    assert open_model(name, 'cpu').name.split()[0] == name


def test_an_unknown_figure_is_a_dash():
    row = {'model': 'm', 'set': 's', 'crop': 'box', 'n': 1, 'pitch': 1.0, 'pitch_std': 0.5, 'coarse': 0.5, 'coarse_beyond_3': float('nan')}
    said = report.line(row)
    assert 'yaw - pitch 1.00±0.50 roll - ' in said and 'coarse 50.0 % (- beyond 3)' in said and said.endswith('within 1/2 std -  -')


def test_an_unknown_angle_is_a_dash_on_the_sheet(tmp_path, monkeypatch):
    drawn = []
    monkeypatch.setattr(report.cv2, 'putText', lambda tile, text, *rest: drawn.append(text))
    picture = np.zeros((20, 20, 3), np.uint8)
    label_sheet.axis_sheet([Face('x', np.array([20.0, -5.0, np.nan]), lambda: picture)], tmp_path / 'axes.png')
    assert drawn == ['y20 p-5 r-']


@pytest.mark.parametrize('device, said', [('cuda', "device 'cuda' cannot be used"), ('tpu', "device 'tpu' is none of auto, cpu, cuda")])
def test_a_device_that_is_not_there_is_reported(device, said, trained, monkeypatch):
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    with pytest.raises(ValueError, match=said):
        open_model(trained, device)


def test_a_network_whose_outputs_are_not_finite_is_reported():
    R = turned([0, 10, 20])
    R[1, 0, 0] = np.nan
    with pytest.raises(ValueError, match='the output of all-knowing is nan or inf for 1 of 3 crops'):
        all_knowing(R).infer(np.zeros((3, 1, 48, 48), np.uint8))


@pytest.mark.parametrize(
    'arguments', [['--within', '0', '0'], ['--within', '40', 'nan'], ['--limit', '0'], ['--limit', '-3'], ['--threads', '0']]
)
def test_an_option_that_excludes_every_sample_is_refused(arguments, capsys):
    with pytest.raises(SystemExit):
        evaluate.main(['c2f_edge', 'aflw2000', *arguments])
    assert f'{arguments[0]} ' in capsys.readouterr().err


@pytest.mark.parametrize('name, parsed', [
    ('aflw2000', ('aflw2000', 'published')), ('biwi:official@detector', ('biwi:official', 'detector')), ('boston', ('boston', 'detector')),
    ('csv:me@home/own.csv', ('csv:me@home/own.csv', 'box')), ('csv:me@home/own.csv@detector', ('csv:me@home/own.csv', 'detector')),
])  # fmt: skip
def test_a_sets_name_may_carry_its_crop(name, parsed):
    assert measure.parse_set(name) == parsed


@pytest.mark.parametrize('arguments, said', [
    (['none.pt', 'aflw2000'], 'none.pt'),
    (['c2f_edge', 'aflw3000'], "data set 'aflw3000' is unknown; use one of "
      "aflw2000, 300wlp, pointing04, biwi, biwi:official, biwi:80-20, boston, "
                               'csv:FILE, synthetic:FOLDER, disturbed:FOLDER'),
    (['c2f_edge', 'synthetic:nowhere'], 'nowhere'),
    (['none.pt', 'synthetic:'], "'synthetic:' lacks a folder"),
    (['none.pt', 'boston', 'aflw2000@nosuch'], "aflw2000 has no crop 'nosuch'; it has published, unstretched, landmarks, detector"),
    (['none.pt', 'pointing04', 'aflw2000', '--crop', 'box'], "aflw2000 has no crop 'box'"),
])  # fmt: skip
def test_a_users_mistake_is_reported_in_one_line(arguments, said, capsys):
    assert evaluate.main([*arguments, '--device', 'cpu']) == 2
    told = capsys.readouterr().err
    assert told.startswith('error: ') and said in told and told.count('\n') == 1
