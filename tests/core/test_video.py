"""Videos with any time stamps, cut off or not finished, streams and cameras: what the demo reads of them."""

import functools
import http.server
import json
import os
import random
import tempfile
import threading
from pathlib import Path

import cv2
import numpy as np
import pytest
import video_making as making

import sample
from c2f_head_pose import demo, demo_files
from c2f_head_pose.images.containers import missing_part
from c2f_head_pose.images.inputs import Frame
from c2f_head_pose.images.video import Video, camera_number, is_address, without_password


def stamps(path):
    return [stamp_s for _, stamp_s in Video(path).frames()]


def test_frames_of_a_variable_rate_get_the_containers_stamps_in_matroska(tmp_path):
    """A screen recorder writes a frame when something moves: 3 at 30 Hz, then pauses of 0.4 s."""
    stamps_ms = [0, 33, 67, 467, 867, 900, 1500]
    assert stamps(making.matroska(tmp_path / 'a.mkv', stamps_ms)) == pytest.approx([0, 0.033, 0.067, 0.467, 0.867, 0.9, 1.5])


def test_frames_of_a_variable_rate_get_the_containers_stamps_in_mp4(tmp_path):
    """A phone in the dark exposes longer: durations of 1, 1, 2, 4, 4, 1, 1 thirtieths; stamps are the sums of those before."""
    path = making.with_durations(making.mp4(tmp_path / 'a.mp4', 7), [1, 1, 2, 4, 4, 1, 1])
    assert stamps(path) == pytest.approx(np.array([0, 1, 2, 4, 8, 12, 13]) / 30, abs=1e-6)


def test_frames_of_a_constant_rate_follow_at_that_rate(tmp_path):
    assert stamps(making.mp4(tmp_path / 'a.mp4', 10, fps=20)) == pytest.approx(np.arange(10) / 20)
    assert stamps(making.avi(tmp_path / 'a.avi', 10, fps=10)) == pytest.approx(np.arange(10) / 10)


class _WithoutLastStamps:
    """An OpenCV capture as before 4.7, where the decoder's last frames have the stamp 0."""

    def __init__(self, capture, valid):
        self._capture, self._valid, self._read = capture, valid, 0

    def __getattr__(self, name):
        return getattr(self._capture, name)

    def read(self):
        self._read += 1
        return self._capture.read()

    def get(self, number):
        return 0.0 if number == cv2.CAP_PROP_POS_MSEC and self._read > self._valid else self._capture.get(number)


def test_last_frames_without_a_stamp_follow_at_the_usual_interval(tmp_path, monkeypatch):
    """Five frames at 20 Hz; the last two have no stamp: 0.10 + 0.05, and once more."""
    opened = cv2.VideoCapture
    monkeypatch.setattr(cv2, 'VideoCapture', lambda path: _WithoutLastStamps(opened(path), 3))
    assert stamps(making.mp4(tmp_path / 'a.mp4', 5, fps=20)) == pytest.approx([0, 0.05, 0.10, 0.15, 0.20])


def test_the_json_of_a_video_has_each_frames_stamp(tmp_path):
    making.matroska(tmp_path / 'a.mkv', [0, 40, 500])
    assert demo.main([str(tmp_path / 'a.mkv'), '--json', str(tmp_path / 'poses.json')]) == 0
    records = json.loads((tmp_path / 'poses.json').read_text())
    assert [r['stamp_s'] for r in records] == [0, 0.04, 0.5]
    assert [r['image'] for r in records] == [f'{tmp_path}/a.mkv#{n}' for n in range(3)]


def test_a_drawn_video_of_a_variable_rate_lasts_as_long_as_the_original(tmp_path):
    """Three black images at 0, 0.1, 0.2 s and a white one at 1.0 s; 2 to 10 images a second, so white comes at 1.0 s up to half of that."""
    black, white = np.zeros((48, 64, 3), np.uint8), np.full((48, 64, 3), 255, np.uint8)
    making.matroska(tmp_path / 'a.mkv', [0, 100, 200, 1000], [black, black, black, white])
    assert demo.main([str(tmp_path / 'a.mkv'), '--output', str(tmp_path / 'out')]) == 0
    drawn = [(stamp_s, image.mean()) for image, stamp_s in Video(tmp_path / 'out' / 'a.mp4').frames()]
    assert next(stamp_s for stamp_s, level in drawn if level > 128) == pytest.approx(1.0, abs=0.25)


def test_a_video_whose_stamps_jitter_is_drawn_at_a_usual_rate(tmp_path):
    """A browser's recording: 60 images at 30 Hz, 0 to 6 ms early or late in milliseconds, so that only a clock of 1000 Hz has all stamps.

    White from image 45 on, at 1.5 s. At 30 Hz 60 images are drawn, and a few are repeated.
    """
    jitter = random.Random(0)
    stamps_ms = [0, *(round(1000 * number / 30) + jitter.randint(-6, 6) for number in range(1, 60))]
    images = [np.full((48, 64, 3), 255 * (number >= 45), np.uint8) for number in range(60)]
    making.matroska(tmp_path / 'a.mkv', stamps_ms, images)
    assert demo.main([str(tmp_path / 'a.mkv'), '--output', str(tmp_path / 'out')]) == 0
    drawn = [(stamp_s, image.mean()) for image, stamp_s in Video(tmp_path / 'out' / 'a.mp4').frames()]
    assert 60 <= len(drawn) <= 75
    assert next(stamp_s for stamp_s, level in drawn if level > 128) == pytest.approx(1.5, abs=0.15)


def test_images_that_come_faster_than_the_drawn_video_do_not_slow_it_down(tmp_path):
    """180 images at 60 Hz are drawn at 30 Hz; white from 2 s on, which is drawn half a second late at most. All drawn make 4 s of 2 s."""
    images = [np.full((48, 64, 3), 255 * (number >= 120), np.uint8) for number in range(180)]
    drawings = demo_files.Drawings(tmp_path, print)
    for number, image in enumerate(images):
        drawings.write(Frame(f'a.mkv#{number}', Path('a.mp4'), image, number / 60, 30.0), image, [])
    drawings.close()
    drawn = [(stamp_s, image.mean()) for image, stamp_s in Video(tmp_path / 'a.mp4').frames()]
    assert next(stamp_s for stamp_s, level in drawn if level > 128) == pytest.approx(2.0, abs=0.6)
    assert len(drawn) / 30 == pytest.approx(3.0, abs=0.6)


@pytest.mark.parametrize('share', [0.4, 0.95])
@pytest.mark.parametrize(
    ('make', 'name'),
    [
        (lambda p: making.index_in_front(making.mp4(p, 90)), 'phone.mp4'),
        (lambda p: making.matroska(p, [40 * k for k in range(90)]), 'recorder.mkv'),
        (lambda p: making.matroska(p, [40 * k for k in range(90)]), 'browser.webm'),
    ],
)
def test_a_video_that_is_cut_off_is_read_up_to_the_cut_and_reported(make, name, share, tmp_path, capsys):
    """90 frames, cut after 40 and 95 % of the bytes: fewer frames, status 1, and the frames read are kept."""
    path = make(tmp_path / name)
    assert missing_part(path) is None
    making.cut(path, share)
    assert demo.main([str(path), '--json', str(tmp_path / 'poses.json')]) == 1
    count = len(json.loads((tmp_path / 'poses.json').read_text()))
    assert 0 < count < 90
    assert f'{name} is not complete (the file has {path.stat().st_size} bytes of ' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['phone.mp4', 'recorder.mkv'])
def test_a_video_whose_second_half_was_never_downloaded_is_reported(name, tmp_path, capsys):
    """A download client reserves the whole file: half of it is zeros, its length is right."""
    path = tmp_path / name
    whole = making.index_in_front(making.mp4(path, 90)) if name.endswith('mp4') else making.matroska(path, [40 * k for k in range(90)])
    data = whole.read_bytes()
    path.write_bytes(data[: len(data) // 2] + bytes(len(data) - len(data) // 2))
    assert demo.main([str(path)]) == 1
    assert 'is not complete (the rest cannot be decoded)' in capsys.readouterr().err


def test_a_recording_that_was_never_finished_is_named_as_such(tmp_path, capsys):
    """The power went before the camera wrote its index behind the data."""
    path = making.mp4(tmp_path / 'dashcam.mp4', 30)
    data = path.read_bytes()
    path.write_bytes(data[: data.index(b'moov') - 4])
    assert demo.main([str(path), '--json', str(tmp_path / 'poses.json')]) == 2
    assert 'its index (moov) is missing: the recording was not finished' in capsys.readouterr().err
    assert not (tmp_path / 'poses.json').exists()


def test_a_live_recording_without_an_announced_length_is_complete(tmp_path):
    video = Video(making.matroska(tmp_path / 'live.mkv', [0, 40, 80, 120], known_length=False))
    assert len(list(video.frames())) == 4
    assert video.problem == ''


def test_bytes_behind_a_video_are_no_missing_ones(tmp_path):
    """Some cameras append their own data."""
    path = making.index_in_front(making.mp4(tmp_path / 'a.mp4', 10))
    path.write_bytes(path.read_bytes() + bytes(100))
    assert missing_part(path) is None


def test_a_transport_stream_that_ends_inside_a_packet_is_cut_off(tmp_path):
    """ISO/IEC 13818-1: packets of 188 bytes, each begins with 0x47."""
    (tmp_path / 'a.ts').write_bytes((b'G' + bytes(187)) * 10)
    assert missing_part(tmp_path / 'a.ts') is None
    making.cut(tmp_path / 'a.ts', 0.75)
    assert missing_part(tmp_path / 'a.ts') == 'the last packet has 94 bytes of 188'


class _Camera(http.server.SimpleHTTPRequestHandler):
    """Serves a folder, and /camera as an IP camera does: motion JPEG without an end or a length."""

    def do_GET(self):
        if self.path != '/camera':
            return super().do_GET()
        jpeg = cv2.imencode('.jpg', sample.frames()[0].image)[1].tobytes()
        self.send_response(200)
        self.send_header('Content-Type', 'multipart/x-mixed-replace; boundary=frame')
        self.end_headers()
        for _ in range(8):
            self.wfile.write(b'--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n' % len(jpeg) + jpeg + b'\r\n')
        return None

    def log_message(self, *_):
        pass


@pytest.fixture
def address(tmp_path):
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), functools.partial(_Camera, directory=tmp_path)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f'http://127.0.0.1:{server.server_port}'
        server.shutdown()
        thread.join()


def test_the_stream_of_an_ip_camera_is_read_and_stamped_as_it_arrives(address, tmp_path):
    assert demo.main([f'{address}/camera', '--json', str(tmp_path / 'poses.json')]) == 0
    records = json.loads((tmp_path / 'poses.json').read_text())
    assert len(records) >= 6
    assert all(r['faces'] for r in records)
    times = [r['stamp_s'] for r in records]
    assert times[0] == 0
    assert times == sorted(times)


def test_a_video_behind_an_address_has_its_own_stamps(address, tmp_path):
    making.index_in_front(making.mp4(tmp_path / 'a.mp4', 10, fps=20))
    assert [s for _, s in Video(f'{address}/a.mp4').frames()] == pytest.approx(np.arange(10) / 20)


def test_a_camera_that_does_not_answer_is_reported_with_its_address_and_without_its_password(capsys):
    """Nobody listens on port 9 of this machine."""
    assert demo.main(['rtsp://admin:secret@127.0.0.1:9/stream1']) == 2
    told = capsys.readouterr().err
    assert 'rtsp://127.0.0.1:9/stream1 cannot be opened' in told
    assert 'secret' not in told


def test_a_webcam_may_be_named_by_its_device_file(capsys):
    assert demo.main(['/dev/video987']) == 2
    assert 'webcam 987 cannot be opened: check that it is plugged in (/dev/video987)' in capsys.readouterr().err


@pytest.mark.parametrize('name', ['missing.mp4', '.'])
def test_a_file_that_cannot_be_opened_is_refused_at_once(tmp_path, name):
    with pytest.raises(ValueError, match=f'{tmp_path / name} cannot be opened: (No such file|Is a) '):
        Video(tmp_path / name)


def test_a_file_that_is_no_video_has_no_frames_and_a_problem(tmp_path):
    (tmp_path / 'notes.mp4').write_text('P1 is the driver')
    video = Video(tmp_path / 'notes.mp4')
    assert list(video.frames()) == []
    assert video.problem == 'cannot be read as a picture or video'


def test_a_file_named_by_text_is_refused_with_the_remedy():
    with pytest.raises(ValueError, match=r"'drive.mp4' is no webcam and no address; if it is a file, give Path\('drive.mp4'\)"):
        Video('drive.mp4')


@pytest.mark.parametrize(
    ('given', 'number'), [('0', 0), ('12', 12), ('/dev/video3', 3), ('/dev/null', None), ('video3', None), ('-1', None)]
)
def test_webcams_are_named_by_number_or_device(given, number):
    assert camera_number(given) == number


@pytest.mark.skipif(not os.access('/dev/shm', os.W_OK), reason='no folder below /dev to put a link into')
def test_a_link_to_a_device_file_is_followed():
    """Linux names cameras by their serial numbers in /dev/v4l/by-id, as links."""
    with tempfile.TemporaryDirectory(dir='/dev/shm') as folder:
        os.symlink('/dev/video2', f'{folder}/usb-046d_HD_Webcam-video-index0')
        assert camera_number(f'{folder}/usb-046d_HD_Webcam-video-index0') == 2


def test_an_address_is_distinguished_from_a_path():
    assert [is_address(a) for a in ('rtsp://camera/1', 'http://host:8080/video', 'udp://@:1234', 'a.mp4', 'C:/a.mp4', '/a://b')] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]


@pytest.mark.parametrize(
    'address, shown',
    [
        ('rtsp://user:word@host/1?a=b@c', 'rtsp://host/1?a=b@c'),
        ('rtsp://user:p@ssword@host/1', 'rtsp://host/1'),
        ('http://host:8080/video', 'http://host:8080/video'),
        ('http://host?to=a@b', 'http://host?to=a@b'),
    ],
)
def test_an_address_is_shown_without_user_and_password(address, shown):
    assert without_password(address) == shown
