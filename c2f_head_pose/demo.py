"""Estimates head poses in pictures, folders of pictures, videos, streams or a webcam, without ROS."""

from __future__ import annotations

import argparse
import io
import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from .command_name import typed_name
from .counting import counted
from .draw import draw_poses
from .estimator import HeadPoseEstimator
from .files import written_whole
from .finder import mute_findings
from .images.inputs import Frame, Inputs, find_inputs, listed
from .images.paths import utf8_path
from .images.video_file import VideoFile
from .models.registry import ModelError
from .options import EstimatorOptions, add_finding_arguments
from .types import Finding, HeadPose

_LONGEST_PAUSE_S = 60.0
_LONGEST_LEAD_S = 0.5


def pose_record(pose: HeadPose) -> dict[str, Any]:
    """Returns a head pose as plain numbers for JSON: angles in degrees, box x1 y1 x2 y2 in pixels, R_cam_head row by row."""
    box = pose.box
    return {
        'box': None if box is None else [round(v, 2) for v in (box.x1, box.y1, box.x2, box.y2)],
        'score': round(pose.score, 4),
        'R_cam_head': pose.R_cam_head.tolist(),
        'yaw_pitch_roll_deg': pose.yaw_pitch_roll_deg.tolist(),
        'rotation_std_deg': pose.rotation_std_deg.tolist(),
        'category': pose.category,
        'category_probabilities': pose.category_probabilities.tolist(),
        'track_id': pose.track_id,
    }


class _Drawings:
    """Writes drawings: of pictures into one file each, of a video's frames into one video. Counts the files, and names those that fail.

    The video has a constant rate. A drawing is repeated until the next frame's stamp, so that the video plays as fast as the original;
    frames that come faster than the rate are drawn until the video is half a second behind them, and then left out.
    """

    def __init__(self, folder: Path) -> None:
        self.files = self.lost = 0
        self._folder = folder
        self._video: VideoFile | None = None
        self._video_path = Path()
        self._written = 0
        self._last_s = 0.0
        self._last: np.ndarray | None = None

    def write(self, frame: Frame, image: np.ndarray, poses: list[HeadPose]) -> None:
        """Draws the poses in a frame's image and writes it; the frames after one of a video that cannot be written are left out."""
        path = self._folder / frame.output
        try:
            drawing = draw_poses(image, poses)
            path.parent.mkdir(parents=True, exist_ok=True)
            if frame.stamp_s is None:
                content = _encoded(path, drawing)
                with written_whole(path) as part:
                    part.write_bytes(content)
                self.files += 1
                return
            if path != self._video_path:
                self.close()
                self._video_path, self._written, self._last, self._last_s = path, 0, None, frame.stamp_s
                self._video = VideoFile(path, frame.fps, drawing.shape[1::-1])
            if self._video is not None:
                self._add(self._video, frame.stamp_s, frame.fps, drawing)
        except (OSError, cv2.error) as error:
            self._lose(error)

    def _add(self, video: VideoFile, stamp_s: float, fps: float, drawing: np.ndarray) -> None:
        missing = round(stamp_s * fps) - self._written
        if -missing > _LONGEST_LEAD_S * fps:
            return
        if self._last is not None and stamp_s - self._last_s <= _LONGEST_PAUSE_S:
            for _ in range(missing):
                video.write(self._last)
        self._written = self._written + max(missing, 0) + 1
        self._last, self._last_s = drawing, stamp_s
        video.write(drawing)

    def close(self) -> None:
        """Finishes the video that is being written."""
        video, self._video = self._video, None
        if video is not None:
            try:
                video.close()
                self.files += 1
            except OSError as error:
                self._lose(error)

    def _lose(self, error: Exception) -> None:
        self.lost += 1
        _print_problem(error)


def _encoded(path: Path, drawing: np.ndarray) -> bytes:
    try:
        encoded, data = cv2.imencode(path.suffix, drawing)
    except cv2.error:  # raised by OpenCV 4.5 where newer ones return False
        encoded = False
    if not encoded:
        raise OSError(f'{path} cannot be written')
    return data.tobytes()


class _Findings:
    """Collects what options would change, with the inputs that it concerns: a folder's pictures need not have one cause in common."""

    def __init__(self) -> None:
        self._inputs: dict[tuple[str, int | None], tuple[str, list[Path]]] = {}

    def add(self, frame: Frame, finding: Finding) -> None:
        """Adds the finding of a frame; all frames of a video count as one input."""
        path = Path(frame.name if frame.stamp_s is None else frame.name.rpartition('#')[0])
        for option, note in finding.notes().items():
            kind = (option, finding.image_rotation if option == 'image_rotation' else None)
            _, inputs = self._inputs.setdefault(kind, (note, []))
            if path not in inputs:
                inputs.append(path)

    def lines(self) -> list[str]:
        """Returns a line for each kind: the inputs, the fault and the command's option that changes it."""
        return [
            f'{listed(inputs)}: ' + note.replace(option, '--' + option.replace('_', '-'))
            for (option, _), (note, inputs) in self._inputs.items()
        ]


def main(arguments: list[str] | None = None) -> int:
    """Runs the command; returns 0 when every frame was read, and drawn if requested, 1 when some were not, 2 when none could be read."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')  # a file may have a name that the terminal cannot show
    parser = argparse.ArgumentParser(prog=typed_name('demo'), description=__doc__)
    parser.add_argument(
        'path', nargs='+', help='picture, folder of pictures, video, webcam (0 or /dev/video0) or address (rtsp://..., http://...)'
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help="write every face as JSON, of videos with each frame's stamp_s")
    parser.add_argument('--output', type=Path, metavar='DIR', help='write pictures and videos with the poses drawn in')
    parser.add_argument('--model', default='c2f_edge', help='shipped name or .onnx file (default %(default)s)')
    parser.add_argument('--device', default='auto', choices=('auto', 'cpu', 'cuda'))
    parser.add_argument('--threads', type=int, default=1, help='CPU threads (default %(default)s)')
    add_finding_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        finding = EstimatorOptions(max_faces=options.max_faces, min_face_px=options.min_face_px, image_rotation=options.image_rotation)
        inputs = find_inputs(options.path, options.output)
        _prepare_outputs(options)
        estimator = HeadPoseEstimator.load(options.model, options.device, options.threads, finding)
        mute_findings()  # the summary has them, with the inputs' names
        print(f'model {estimator.model_name} on {estimator.device}', file=sys.stderr)
        return _run(estimator, inputs, options)
    except KeyboardInterrupt:
        return 130
    except (ModelError, ValueError, OSError) as error:
        print(f'demo: {error}', file=sys.stderr)
        return 2


def _prepare_outputs(options: argparse.Namespace) -> None:
    """Checks that the results can be written before any image is processed. Creates folders, but no files.

    Raises:
        OSError, ValueError: naming what cannot be written.
    """
    if options.output:
        utf8_path(options.output)
        if options.output.exists() and not options.output.is_dir():
            raise NotADirectoryError(f'--output {options.output} is a file; name a folder')
        options.output.mkdir(parents=True, exist_ok=True)
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        existed = options.json.exists()
        options.json.open('a').close()
        if not existed:
            options.json.unlink()


def _run(estimator: HeadPoseEstimator, inputs: Inputs, options: argparse.Namespace) -> int:
    records: list[dict[str, Any]] = []
    problems = faces = 0
    drawings = _Drawings(options.output) if options.output else None
    last_output = None
    findings = _Findings()
    try:
        for frame in inputs.frames():
            if frame.image is None:
                problems += 1
                _print_problem(frame.problem)
                continue
            if frame.stamp_s is not None and frame.output != last_output:
                estimator.reset()
            last_output = frame.output
            poses = estimator.estimate(frame.image, stamp_s=frame.stamp_s)
            findings.add(frame, estimator.finding)
            faces += len(poses)
            records.append(_record(frame, poses))
            if drawings:
                drawings.write(frame, frame.image, poses)
            _progress(frame.name, len(records), faces, poses)
    except KeyboardInterrupt:
        print('\nstopped', file=sys.stderr)
    finally:
        if drawings:
            drawings.close()
        undrawn = drawings.lost if drawings else 0
        _end_line()
        written = [
            path for path, count in ((options.json, len(records)), (options.output, drawings.files if drawings else 0)) if path and count
        ]
        _report(records, problems, undrawn, inputs.others, written, options)
    for line in findings.lines():
        print(line)
    return 0 if not problems and not undrawn else 1 if records else 2


def _record(frame: Frame, poses: list[HeadPose]) -> dict[str, Any]:
    stamp = {} if frame.stamp_s is None else {'stamp_s': round(frame.stamp_s, 6)}
    return {'image': frame.name, **stamp, 'faces': [pose_record(p) for p in poses]}


def _report(
    records: list[dict[str, Any]], problems: int, undrawn: int, others: list[Path], written: list[Path], options: argparse.Namespace
) -> None:
    """Writes the JSON, unless no frame was read, and prints a summary."""
    if options.json and records:
        options.json.write_text(json.dumps(records, indent=1))
    faces, empty = sum(len(r['faces']) for r in records), sum(1 for r in records if not r['faces'])
    print(
        f'{counted(len(records), "image")}, {counted(faces, "face")}, {counted(empty, "image")} without a face'
        + (f', {counted(problems, "input")} not readable or not complete' if problems else '')
        + (f', {counted(undrawn, "drawing")} not written' if undrawn else '')
    )
    if others:
        what = 'is no picture and was' if len(others) == 1 else 'are no pictures and were'
        print(
            f'{counted(len(others), "other file")} in the folders {what} not read: {listed(others)}'
            ' (a video is read when it is named itself)'
        )
    if records and not faces:
        print(
            'no face: faces seen from behind, mostly covered, or smaller than --min-face-px (28 pixels at 640x480, 48 at 1920x1080) are '
            'not found; for a camera mounted sideways or upside down use --image-rotation'
        )
    for path in written:
        print(f'wrote {path}')
    if not options.json and not options.output:
        print('to keep the results: --json FILE, --output DIR')


def _print_problem(problem: object) -> None:
    _end_line()
    print(f'demo: {problem}', file=sys.stderr)


def _end_line() -> None:
    """Ends the progress line on a terminal."""
    if sys.stderr.isatty():
        print(file=sys.stderr)


def _progress(name: str, images: int, faces: int, poses: list[HeadPose]) -> None:
    """Prints progress: on a terminal one line that is overwritten, elsewhere a line every hundred images."""
    angles = '  '.join('yaw {:+.0f} pitch {:+.0f} roll {:+.0f}'.format(*p.yaw_pitch_roll_deg) for p in poses[:2]) or 'no face'
    counts = f'{counted(images, "image")}, {counted(faces, "face")}'
    if sys.stderr.isatty():
        print(f'\r\x1b[K{counts}  {Path(name).name}: {angles}'[:120], end='', file=sys.stderr, flush=True)
    elif images % 100 == 0:
        print(counts, file=sys.stderr, flush=True)


if __name__ == '__main__':
    sys.exit(main())
