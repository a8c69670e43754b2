"""The command `demo` in a newcomer's hands: odd files, odd folders, wrong paths."""

import errno
import json
import os
import re
import resource
import signal
import subprocess
import sys
import tracemalloc
from argparse import Namespace
from pathlib import Path
from unittest import mock

import cv2
import numpy as np
import pytest
import video_making as making

import sample
from c2f_head_pose import demo, demo_files
from c2f_head_pose.images.inputs import Frame, find_inputs
from c2f_head_pose.types import Finding, HeadPose

FACE = sample.frames()[0].image


@pytest.fixture
def picture(tmp_path):
    (tmp_path / 'in').mkdir()
    path = tmp_path / 'in' / 'face.jpg'
    cv2.imwrite(str(path), FACE)
    return path


def video(path, fps: float, count: int = 3):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*'mp4v'), fps, FACE.shape[1::-1])
    for _ in range(count):
        writer.write(FACE)
    writer.release()
    return path


def test_a_wrong_path_is_refused_before_any_other_is_read(picture):
    with pytest.raises(ValueError, match=r'nowhere\.jpg does not exist'):
        find_inputs([str(picture), 'nowhere.jpg'])


def test_a_file_may_be_named_by_its_address_as_file_managers_copy_it(picture):
    spaced = picture.with_name('my face.jpg')
    spaced.write_bytes(picture.read_bytes())
    assert [f.name for f in find_inputs([spaced.as_uri()]).frames()] == [str(spaced)]
    with pytest.raises(ValueError, match=rf'^{picture.parent}/no where\.jpg does not exist'):
        find_inputs([picture.with_name('no where.jpg').as_uri()])


def test_a_drawing_never_overwrites_its_picture(picture, capsys):
    before = picture.read_bytes()
    assert demo.main([str(picture.parent), '--output', str(picture.parent)]) == 2
    assert demo.main([str(picture), '--output', str(picture.parent)]) == 2
    assert capsys.readouterr().err.count('would overwrite it; name another folder with --output') == 2
    assert picture.read_bytes() == before


def test_a_drawing_never_overwrites_another_input(picture, tmp_path, capsys):
    """Both drawings that come first have the name of the input that comes second, which is not read by then."""
    (tmp_path / 'other').mkdir()
    cv2.imwrite(str(tmp_path / 'other' / 'face.jpg'), 255 - FACE)
    mov, mp4 = (video(tmp_path / f'drive.{ending}', 10) for ending in ('mov', 'mp4'))
    before = picture.read_bytes(), mp4.read_bytes()
    assert demo.main([str(tmp_path / 'other' / 'face.jpg'), str(picture), '--output', str(picture.parent)]) == 2
    assert demo.main([str(mov), str(mp4), '--output', str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert f'would overwrite {picture};' in said and f'the drawing of {mov} would overwrite {mp4};' in said
    assert (picture.read_bytes(), mp4.read_bytes()) == before


def test_pictures_of_one_name_get_a_drawing_each(picture, tmp_path):
    (tmp_path / 'other').mkdir()
    cv2.imwrite(str(tmp_path / 'other' / 'face.jpg'), 255 - FACE)
    assert demo.main([str(picture), str(tmp_path / 'other' / 'face.jpg'), '--output', str(tmp_path / 'out')]) == 0
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == ['face.jpg', 'face_2.jpg']
    assert cv2.imread(str(tmp_path / 'out' / 'face_2.jpg'))[0, 0].max() != cv2.imread(str(tmp_path / 'out' / 'face.jpg'))[0, 0].max()


def test_drawings_of_an_earlier_run_are_no_pictures_of_the_next(picture):
    drawn = picture.parent / 'drawn'
    for _ in range(2):
        assert [f.name for f in find_inputs([str(picture.parent)], drawn).frames()] == [str(picture)]
        drawn.mkdir(exist_ok=True)
        cv2.imwrite(str(drawn / 'face.jpg'), FACE)


def test_a_picture_format_without_colour_is_drawn_as_png(picture, tmp_path):
    """OpenCV writes no colour into .pgm; the run must not end there."""
    cv2.imwrite(str(picture.with_suffix('.pgm')), FACE[..., 0])
    assert demo.main([str(picture.parent), '--output', str(tmp_path / 'out')]) == 0
    assert sorted(p.name for p in (tmp_path / 'out').iterdir()) == ['face.jpg', 'face.png']


def test_a_drawn_video_keeps_its_speed(tmp_path):
    """Ten frames a second in, ten out."""
    demo.main([str(video(tmp_path / 'slow.mp4', 10)), '--output', str(tmp_path / 'out')])
    assert cv2.VideoCapture(str(tmp_path / 'out' / 'slow.mp4')).get(cv2.CAP_PROP_FPS) == pytest.approx(10)


@pytest.mark.parametrize(('name', 'content'), [('text.jpg', b'a letter\n'), ('text.mp4', b'a letter\n'), ('empty.png', b'')])
def test_what_only_looks_like_a_picture_or_video_is_named_and_the_rest_goes_on(name, content, picture, tmp_path, capsys):
    (tmp_path / name).write_bytes(content)
    assert demo.main([str(tmp_path / name), str(picture), '--json', str(tmp_path / 'poses.json')]) == 1
    assert f'{name} cannot be read as a picture or video' in capsys.readouterr().err
    assert [r['image'] for r in json.loads((tmp_path / 'poses.json').read_text())] == [str(picture)]
    assert demo.main([str(tmp_path / name)]) == 2, 'nothing else was asked for'


def test_a_result_that_cannot_be_written_is_refused_before_the_model_is_opened(picture, tmp_path, capsys):
    assert demo.main([str(picture), '--output', str(picture), '--model', 'nothing']) == 2
    assert 'face.jpg is a file; name a folder' in capsys.readouterr().err
    assert demo.main([str(picture), '--json', str(tmp_path), '--model', 'nothing']) == 2
    assert 'Is a directory' in capsys.readouterr().err


def test_when_nobody_was_found_the_message_names_who_is_not_found(tmp_path, capsys):
    cv2.imwrite(str(tmp_path / 'wall.png'), np.full((120, 160, 3), 90, np.uint8))
    assert demo.main([str(tmp_path / 'wall.png')]) == 0
    assert 'no face: faces seen from behind' in capsys.readouterr().out


def test_one_image_and_one_face_are_counted_in_the_singular(picture, capsys):
    assert demo.main([str(picture)]) == 0
    assert capsys.readouterr().out.startswith('1 image, 1 face, 0 images without a face\n')


def test_pictures_that_are_turned_are_named_with_the_turn_that_makes_each_upright(picture, capsys):
    """A picture turned clockwise by 90 degrees needs 270 more; one turned by 270 needs 90; the upright one is not named."""
    for name, turn in (
        ('left.png', cv2.ROTATE_90_COUNTERCLOCKWISE),
        ('right.png', cv2.ROTATE_90_CLOCKWISE),
        ('right2.jpg', cv2.ROTATE_90_CLOCKWISE),
    ):
        cv2.imwrite(str(picture.parent / name), cv2.rotate(FACE, turn))
    assert demo.main([str(picture.parent)]) == 0
    shown = capsys.readouterr()
    turned = [line for line in shown.out.splitlines() if 'image is turned' in line]
    assert [line.split(':')[0] for line in turned] == ['left.png', 'right.png, right2.jpg']
    assert 'clockwise by 90 degrees' in turned[0] and 'set --image-rotation to 90' in turned[0]
    assert 'clockwise by 270 degrees' in turned[1] and 'set --image-rotation to 270' in turned[1]
    assert 'image is turned' not in shown.err


def test_a_picture_with_more_faces_than_allowed_is_named(picture, capsys):
    cv2.imwrite(str(picture.parent / 'two.png'), np.hstack([FACE, FACE]))
    assert demo.main([str(picture.parent), '--max-faces', '1']) == 0
    assert re.search(r'^two\.png: 1 face, as many as --max-faces allows; 1 more is ignored', capsys.readouterr().out, re.M)


def test_a_missing_webcam_is_reported_with_what_to_check(capsys):
    assert demo.main(['987']) == 2
    assert 'webcam 987 cannot be opened: check that it is plugged in (/dev/video987)' in capsys.readouterr().err


def latin_1(path, name: str):
    """A path whose name has its bytes of Latin-1, as old cameras and archives write it."""
    return path.with_name(os.fsdecode(name.encode('latin-1')))


def test_a_picture_whose_name_is_not_utf8_is_read_drawn_and_named(picture, tmp_path, capfd):
    named = latin_1(picture, 'caf\u00e9.jpg')
    picture.rename(named)
    latin_1(picture, 'l\u00e9gende.txt').write_text('a letter')
    assert demo.main([str(named.parent), '--json', str(tmp_path / 'poses.json'), '--output', str(tmp_path / 'out')]) == 0
    assert os.listdir(tmp_path / 'out') == [named.name]
    (record,) = json.loads((tmp_path / 'poses.json').read_text())
    assert record['image'] == f'{tmp_path}/in/caf\\xe9.jpg'
    assert r'1 other file in the folders is no picture and was not read: l\xe9gende.txt' in capfd.readouterr().out
    assert [frame.problem for frame in find_inputs([f'file://{tmp_path}/in/caf%E9.jpg']).frames()] == ['']


def test_a_video_or_output_whose_name_is_not_utf8_is_refused_and_the_rest_goes_on(picture, tmp_path, capsys):
    """OpenCV's VideoCapture and VideoWriter end the process on such a name."""
    drive = latin_1(making.mp4(tmp_path / 'drive.mp4', 3), 'allee\u00e9.mp4')
    (tmp_path / 'drive.mp4').rename(drive)
    assert demo.main([str(drive), str(picture), '--output', str(tmp_path / 'out')]) == 1
    assert r'allee\xe9.mp4 cannot be used: its name is not UTF-8; rename it' in capsys.readouterr().err
    assert demo.main([str(picture), '--output', str(latin_1(tmp_path, 'out\u00e9'))]) == 2
    assert r'out\xe9 cannot be used' in capsys.readouterr().err


def test_a_drawing_that_cannot_be_written_is_counted_and_the_rest_goes_on(picture, tmp_path, capsys):
    """A folder has the name of the drawing; WebP holds no picture wider than 16383 pixels."""
    (tmp_path / 'out' / 'face.jpg').mkdir(parents=True)
    drive = making.mp4(tmp_path / 'drive.mp4', 3)
    (tmp_path / 'out' / 'drive.mp4').mkdir()
    for name in ('zebra.jpg', 'wide.webp'):
        (picture.parent / name).write_bytes(picture.read_bytes())
    cv2.imwrite(str(picture.parent / 'wide.png'), np.full((20, 16400, 3), 90, np.uint8))
    (picture.parent / 'wide.png').rename(picture.parent / 'wide.webp')
    arguments = [str(picture.parent), str(drive), '--json', str(tmp_path / 'poses.json'), '--output', str(tmp_path / 'out')]
    assert demo.main(arguments) == 1
    shown = capsys.readouterr()
    assert shown.out.startswith('6 images, 2 faces, 4 images without a face, 3 drawings not written\n')
    assert len(re.findall(r'^demo: .*(face\.jpg|wide\.webp|drive\.mp4)', shown.err, re.M)) == 3
    assert len(json.loads((tmp_path / 'poses.json').read_text())) == 6
    assert (tmp_path / 'out' / 'zebra.jpg').is_file()


def test_a_drawing_that_opencv_raises_an_error_for_is_named(picture, tmp_path, monkeypatch, capsys):
    """OpenCV 4.5 raises an error for a picture that is too wide for WebP, where newer ones return False."""
    monkeypatch.setattr(cv2, 'imencode', mock.Mock(side_effect=cv2.error("OpenCV(4.5.4) error: (-2) in function 'write'")))
    assert demo.main([str(picture), '--output', str(tmp_path / 'out')]) == 1
    assert f'demo: {tmp_path}/out/face.jpg cannot be written\n' in capsys.readouterr().err


def test_results_until_an_error_are_kept(picture, tmp_path, monkeypatch, capsys):
    (picture.parent / 'zebra.jpg').write_bytes(picture.read_bytes())
    monkeypatch.setattr(demo_files, 'draw_poses', mock.Mock(side_effect=[FACE, ValueError('the second cannot be drawn')]))
    arguments = [str(picture.parent), '--json', str(tmp_path / 'poses.json'), '--output', str(tmp_path / 'out')]
    assert demo.main(arguments) == 2
    assert 'the second cannot be drawn' in capsys.readouterr().err
    assert len(json.loads((tmp_path / 'poses.json').read_text())) == 2


def test_a_video_that_a_full_disk_cuts_off_is_named_and_not_left_behind(tmp_path, capsys):
    """Files of at most 100 kB stand for the full disk; OpenCV reports nothing, and the file lacks its index. The picture fits."""
    rng = np.random.default_rng(0)
    noise = cv2.VideoWriter(str(tmp_path / 'noise.mp4'), cv2.VideoWriter.fourcc(*'mp4v'), 30, (160, 120))
    for _ in range(40):
        noise.write(rng.integers(0, 256, (120, 160, 3), np.uint8))
    noise.release()
    assert (tmp_path / 'noise.mp4').stat().st_size > 150_000
    cv2.imwrite(str(tmp_path / 'wall.png'), np.full((120, 160, 3), 90, np.uint8))

    def run(*names):
        return subprocess.run(
            [sys.executable, '-m', 'c2f_head_pose.demo', *(tmp_path / name for name in names), '--output', tmp_path / 'out'],
            cwd=Path(__file__).parents[2],
            capture_output=True,
            text=True,
            preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000)),
        )

    alone = run('noise.mp4')
    assert alone.returncode == 1 and f'demo: {tmp_path}/out/noise.mp4 cannot be written whole; look for a full disk' in alone.stderr
    assert '1 drawing not written' in alone.stdout and 'wrote' not in alone.stdout and not os.listdir(tmp_path / 'out')
    both = run('noise.mp4', 'wall.png')
    assert both.returncode == 1 and f'wrote {tmp_path}/out' in both.stdout and os.listdir(tmp_path / 'out') == ['wall.png']


class Session:
    """Inputs that are a webcam's frames, without a webcam, and an estimator that answers each with a face at once."""

    others: tuple = ()
    live = True
    finding = Finding(10)
    model_name = device = 'none'

    def __init__(self, count, look=lambda number: None):
        self._count, self._look = count, look

    def frames(self):
        for number in range(self._count):
            self._look(number)
            yield Frame(f'0#{number}', Path('0.mp4'), FACE, number / 30, 30.0)

    def reset(self):
        pass

    def estimate(self, image, stamp_s):
        return [HeadPose(np.eye(3), np.ones(3), 'L1', np.eye(4)[0])]


def test_memory_does_not_grow_with_the_frames_of_a_webcam():
    """A record of one face has some 4 kB, so 2000 kept would be 8 MB."""
    used = {}

    def look(number):
        if number in (100, 2099):
            used[number] = tracemalloc.get_traced_memory()[0]

    tracemalloc.start()
    try:
        assert demo._run(Session(2100, look), Session(2100, look), Namespace(json=None, output=None)) == 0
    finally:
        tracemalloc.stop()
    assert used[2099] - used[100] < 200_000


def test_records_are_written_one_by_one_and_renamed_when_all_are_there(tmp_path):
    path, sizes = tmp_path / 'poses.json', []

    def look(number):
        if number in (100, 200):
            assert not path.exists()
            sizes.append((tmp_path / 'poses.json.part').stat().st_size)

    session = Session(201, look)
    assert demo._run(session, session, Namespace(json=path, output=None)) == 0
    assert 0 < sizes[0] < sizes[1] and os.listdir(tmp_path) == ['poses.json']
    records = json.loads(path.read_text())
    assert len(records) == 201 and path.read_text() == json.dumps(records, indent=1)


def test_a_disk_that_fills_while_records_are_written_is_named_and_a_former_file_kept(picture, tmp_path, monkeypatch, capsys):
    path = tmp_path / 'poses.json'
    path.write_text('former')
    os.symlink('/dev/full', f'{path}.part')
    assert demo.main([str(picture), '--json', str(path)]) == 2
    shown = capsys.readouterr()
    assert f'demo: {path} cannot be written (No space left on device)' in shown.err and 'wrote' not in shown.out
    assert path.read_text() == 'former' and not os.path.lexists(f'{path}.part')


def test_a_json_file_that_is_no_regular_one_is_written_and_stays(picture, tmp_path):
    (tmp_path / 'link.json').symlink_to(tmp_path / 'real.json')
    assert demo.main([str(picture), '--json', str(tmp_path / 'link.json')]) == 0
    assert (tmp_path / 'link.json').is_symlink() and len(json.loads((tmp_path / 'real.json').read_text())) == 1
    (tmp_path / 'null.json').symlink_to(os.devnull)
    assert demo.main([str(picture), '--json', str(tmp_path / 'null.json')]) == 0
    assert os.readlink(tmp_path / 'null.json') == os.devnull and Path(os.devnull).is_char_device()


def test_a_json_file_that_cannot_be_replaced_is_written(picture, tmp_path, monkeypatch):
    """As one that is mounted into a container by itself."""
    file = tmp_path / 'poses.json'
    file.write_text('of an earlier run')

    def busy(self, target):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    with monkeypatch.context() as patch:
        patch.setattr(Path, 'replace', busy)
        assert demo.main([str(picture), '--json', str(file)]) == 0
    assert len(json.loads(file.read_text())) == 1 and [path.name for path in tmp_path.glob('*.part')] == []


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize('live', [False, True])
def test_an_interruption_keeps_the_results_and_is_no_success_unless_the_inputs_have_no_end(tmp_path, monkeypatch, number, live):
    """Signalled at the eleventh frame of a video; ten are in the JSON and the drawn video."""
    session = Session(1000, lambda frame: signal.raise_signal(number) if frame == 10 else None)
    session.live = live
    monkeypatch.setattr(demo, 'find_inputs', lambda *_: session)
    monkeypatch.setattr(demo.HeadPoseEstimator, 'load', lambda *_: session)
    before = signal.signal(signal.SIGTERM, lambda *_: None)
    try:
        status = demo.main(['0', '--json', str(tmp_path / 'poses.json'), '--output', str(tmp_path / 'out')])
    finally:
        signal.signal(signal.SIGTERM, before)
    assert status == (0 if live else 130)
    assert len(json.loads((tmp_path / 'poses.json').read_text())) == 10
    assert cv2.VideoCapture(str(tmp_path / 'out' / '0.mp4')).get(cv2.CAP_PROP_FRAME_COUNT) == 10
    assert os.listdir(tmp_path / 'out') == ['0.mp4'] and sorted(os.listdir(tmp_path)) == ['out', 'poses.json']


def test_webcams_and_addresses_have_no_end_of_their_own(picture):
    assert find_inputs(['0', 'rtsp://camera/1']).live
    assert not find_inputs([str(picture), '0']).live
