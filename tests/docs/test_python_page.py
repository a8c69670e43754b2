"""The page on Python: its examples run on files as a user has them, and give the right values."""

import csv
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

import sample
from c2f_head_pose import HeadPose, HeadPoseEstimator, ModelError, images
from c2f_head_pose.geometry import geodesic_deg, rotation_from_ypr_deg, rotation_vector

PAGE = (Path(__file__).parents[2] / 'docs' / 'python.md').read_text()
TYPED_PROGRAM = """
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from c2f_head_pose import FaceBox, HeadPose, HeadPoseEstimator


def boxes() -> Iterator[tuple[float, float, float, float]]:
    yield 1.0, 2.0, 30.0, 40.0


def poses(image: npt.NDArray[np.uint8], rows: list[npt.NDArray[np.float32]], before: list[HeadPose]) -> list[HeadPose]:
    estimator = HeadPoseEstimator.load(Path('my.onnx'), depth_model=Path('depth.onnx'))
    estimator.estimate(image, boxes=np.zeros((1, 4)))
    estimator.estimate(image, boxes=[(1, 2, 30, 40)])
    estimator.estimate(image, boxes=[pose.box for pose in before if pose.box is not None])
    estimator.estimate(image, boxes=[rows[0], FaceBox(1, 2, 30, 40)])
    estimator.estimate(image, boxes=boxes())
    return estimator.estimate(image, boxes=rows)
"""
EXAMPLES = re.findall(r'```python\n(.*?)```', PAGE, re.S)
FRAME = sample.frames()[60]


def example(word: str) -> str:
    """The page's only example with a word in it."""
    (code,) = [code for code in EXAMPLES if word in code]
    return code


def test_what_is_installed_beside_another_cv2_is_the_rest_of_what_setup_py_requires():
    required = re.search(r'install_requires=\[(.*?)\]', (Path(__file__).parents[2] / 'setup.py').read_text(), re.S)[1]
    rest = [name for name in re.findall(r"'(.*?)'", required) if not re.match('opencv|onnxruntime', name)]
    (line,) = re.findall(r'^pip install --no-deps \.\npip install (.*?)  #', PAGE, re.M)
    assert shlex.split(line) == rest


def test_a_folder_becomes_one_row_for_each_face_and_a_line_for_each_file_without_one(tmp_path, monkeypatch, capsys):
    """Two upright pictures give the recording's truth within 15 degrees; the cut-off, the empty and the turned one are named."""
    folder = tmp_path / 'pictures'
    (folder / 'second day').mkdir(parents=True)
    cv2.imwrite(str(folder / 'a.jpg'), FRAME.image)
    cv2.imwrite(str(folder / 'second day' / 'b.png'), cv2.cvtColor(FRAME.image, cv2.COLOR_BGR2GRAY))
    cv2.imwrite(str(folder / 'nobody.jpg'), np.full((240, 320, 3), 90, np.uint8))
    cv2.imwrite(str(folder / 'turned.png'), cv2.rotate(FRAME.image, cv2.ROTATE_90_CLOCKWISE))
    (folder / 'cut.jpg').write_bytes((folder / 'a.jpg').read_bytes()[:-4000])
    (folder / 'notes.txt').write_text('no picture')
    monkeypatch.chdir(tmp_path)
    exec(example('poses.csv'), {})
    rows = list(csv.DictReader((tmp_path / 'poses.csv').open()))
    upright = [row for row in rows if 'turned' not in row['file']]
    assert [row['file'] for row in upright] == ['pictures/a.jpg', 'pictures/second day/b.png']
    for row in upright:
        estimate = rotation_from_ypr_deg([float(row[name]) for name in ('yaw', 'pitch', 'roll')])
        assert geodesic_deg(estimate, FRAME.R_cam_head) < 15
    printed = capsys.readouterr().out
    assert 'pictures/nobody.jpg no face' in printed
    assert re.search(r'pictures/cut\.jpg .*cut off', printed)
    assert re.search(r'pictures/turned\.png .*clockwise by 270 degrees', printed)


def test_a_video_is_followed_under_one_id_with_the_containers_times(tmp_path, monkeypatch, capsys):
    """Five frames at 10 Hz are stamped 0.0 to 0.4 s."""
    writer = cv2.VideoWriter(str(tmp_path / 'drive.mp4'), cv2.VideoWriter.fourcc(*'mp4v'), 10, FRAME.image.shape[1::-1])
    for _ in range(5):
        writer.write(FRAME.image)
    writer.release()
    monkeypatch.chdir(tmp_path)
    exec(example('drive.mp4'), {})
    seen = re.findall(r'^(\d\.\d\d) s: (\w+)', capsys.readouterr().out, re.M)
    assert [stamp for stamp, _ in seen] == ['0.00', '0.10', '0.20', '0.30', '0.40']
    assert len({face for _, face in seen}) == 1


@pytest.mark.parametrize('suffix, pixels', [('.jpg', FRAME.image), ('.png', FRAME.image.astype(np.uint16) * 4)], ids=['8 bits', '10 bits'])
def test_the_example_of_the_readme_prints_angles_deviations_and_box(tmp_path, monkeypatch, capsys, suffix, pixels):
    """A picture is read by its content, so the PNG of 10 bits may have the other name."""
    code = re.search(r'```python\n(.*?)```', (Path(__file__).parents[2] / 'README.md').read_text(), re.S)[1]
    (tmp_path / 'face.jpg').write_bytes(cv2.imencode(suffix, pixels)[1].tobytes())
    monkeypatch.chdir(tmp_path)
    exec(code, {})
    printed = capsys.readouterr().out
    assert printed.count('FaceBox(') == 1
    assert len(re.findall(r'\[.*?\]', printed, re.S)) == 2  # three angles and three deviations


def test_the_example_on_depth_runs_as_it_stands():
    names: dict = {}
    exec(example('depth_mm'), names)
    assert names['poses'] == []  # a gray picture before unknown depth shows nobody


def test_the_examples_box_and_crop_give_the_pose_of_the_face_in_them(tmp_path, monkeypatch):
    """Both are of this frame; each gives the recording's truth within 15 degrees."""
    cv2.imwrite(str(tmp_path / 'face.jpg'), FRAME.image)
    monkeypatch.chdir(tmp_path)
    for line in ('estimate_crops', 'boxes='):
        code = '\n'.join(row for row in example('boxes=').splitlines() if row.startswith('poses') <= (line in row))
        names: dict = {}
        exec(code, names)
        (pose,) = names['poses']
        assert geodesic_deg(pose.R_cam_head, FRAME.R_cam_head) < 15


@pytest.mark.parametrize('axis, ypr_deg', [(0, (0, 0, 10)), (1, (0, 10, 0)), (2, (10, 0, 0))], ids=['roll', 'pitch', 'yaw'])
def test_the_deviations_are_about_the_heads_axes_in_the_opposite_order_of_the_angles(axis, ypr_deg):
    """`rotation_std_deg` is that of d in R_true = R_cam_head exp([d]x): a head off by 10 degrees of one angle has d about one axis."""
    off = rotation_from_ypr_deg([0, 0, 0]).T @ rotation_from_ypr_deg(ypr_deg)
    expected = np.zeros(3)
    expected[axis] = 10
    np.testing.assert_allclose(np.abs(np.degrees(rotation_vector(off))), expected, atol=1e-9)
    assert '**roll, pitch, yaw: the opposite order**' in PAGE


def test_each_attribute_in_the_table_exists():
    rows = re.findall(r'^\| ((?:`\w+`(?:, )?)+) \|', PAGE.split('## What a pose contains')[1].split('\n## ')[0], re.M)
    attributes = [name for row in rows for name in re.findall(r'`(\w+)`', row)]
    assert len(attributes) >= 10
    pose = HeadPose(np.eye(3), np.ones(3), 'L1', np.array([1.0, 0, 0, 0]))
    assert [name for name in attributes if not hasattr(pose, name)] == []


@pytest.mark.parametrize('missing', ['nowhere.jpg', 'notes.txt'])
def test_a_picture_that_opencv_cannot_read_is_refused_with_its_usual_cause(tmp_path, missing):
    (tmp_path / 'notes.txt').write_text('no picture')
    with pytest.raises(ValueError, match=r'cv2\.imread returns for a file that it cannot read'):
        HeadPoseEstimator.load('c2f_edge', 'cpu').estimate(cv2.imread(str(tmp_path / missing)))


def test_a_program_with_types_passes_paths_and_boxes_of_any_kind(tmp_path):
    pytest.importorskip('mypy', reason="needs mypy: pip install '.[test]'")
    (tmp_path / 'program.py').write_text(TYPED_PROGRAM)
    command = [sys.executable, '-m', 'mypy', '--strict', '--cache-dir', str(tmp_path / 'cache'), 'program.py']
    environment = {**os.environ, 'PYTHONPATH': str(Path(__file__).parents[2])}
    said = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert [line for line in said.stdout.splitlines() if line.startswith('program.py')] == []
    assert said.returncode < 2, said.stdout + said.stderr


def test_an_image_of_16_bits_is_refused_with_what_converts_it_and_the_page_names_it_too():
    with pytest.raises(ValueError, match=r'got uint16; .*read_picture.*SignificantBits\(\)\.to_8_bits\(image\).*c2f_head_pose\.images'):
        HeadPoseEstimator.load('c2f_edge', 'cpu').estimate(np.zeros((48, 64), np.uint16))
    assert 'SignificantBits()' in PAGE and all(hasattr(images, name) for name in ('read_picture', 'SignificantBits'))


def test_an_image_of_floats_is_refused_with_what_converts_it():
    with pytest.raises(ValueError, match=r'got float64; .*multiply floats from 0 to 1 by 255 and convert them to uint8.*np\.asarray'):
        HeadPoseEstimator.load('c2f_edge', 'cpu').estimate(FRAME.image / 255)


def test_the_boxes_of_another_detector_need_no_yunet(tmp_path, monkeypatch):
    """LICENSES.md's example on a machine without the face detector gives the truth of the recording within 15 degrees."""
    page = (Path(__file__).parents[2] / 'LICENSES.md').read_text()
    box = HeadPoseEstimator.load('c2f_edge', 'cpu').estimate(FRAME.image)[0].box
    monkeypatch.setenv('C2F_HEAD_POSE_MODELS', str(tmp_path))
    with pytest.raises(ModelError, match=r'face detector .* is missing'):
        HeadPoseEstimator.load('c2f_edge', 'cpu')
    names = {'image': FRAME.image, 'x1': box.x1, 'y1': box.y1, 'x2': box.x2, 'y2': box.y2}
    exec(re.search(r'```python\n(.*?)```', page, re.S)[1], names)
    assert geodesic_deg(names['poses'][0].R_cam_head, FRAME.R_cam_head) < 15
