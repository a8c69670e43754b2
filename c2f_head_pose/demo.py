"""Estimates head poses in pictures, folders of pictures, videos, streams or a webcam, without ROS."""

from __future__ import annotations

import argparse
import io
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .command_name import typed_name
from .counting import counted, whole_angles
from .demo_files import Drawings, Records
from .engine import add_device_argument
from .estimator import HeadPoseEstimator
from .finder import mute_findings
from .images.inputs import Frame, Inputs, find_inputs, listed
from .images.paths import utf8_path
from .interruption import INTERRUPTED, sigterm_interrupts
from .models.registry import ModelError
from .options import EstimatorOptions, add_finding_arguments
from .types import Finding, HeadPose


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
    """Runs the command.

    Returns:
        0 when every frame was read, and drawn if requested; 1 when some were not; 2 when none could be read, or a result cannot be written;
        130 when it was interrupted (SIGINT, SIGTERM) before the end of its inputs. Webcams and streams have no other end, so that is none.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors='backslashreplace')  # a file may have a name that the terminal cannot show
    parser = argparse.ArgumentParser(prog=typed_name('demo'), description=__doc__)
    parser.add_argument(
        'path', nargs='+', help='picture, folder of pictures, video, webcam (0 or /dev/video0) or address (rtsp://..., http://...)'
    )
    parser.add_argument('--json', type=Path, metavar='FILE', help="write every face as JSON, for videos with each frame's stamp_s")
    parser.add_argument('--output', type=Path, metavar='DIR', help='write pictures and videos with the poses drawn in')
    parser.add_argument('--model', default='c2f_edge', help='shipped name or .onnx file (default %(default)s)')
    add_device_argument(parser)
    parser.add_argument('--threads', type=int, default=1, help='CPU threads (default %(default)s)')
    add_finding_arguments(parser)
    options = parser.parse_args(arguments)
    try:
        with sigterm_interrupts():
            finding = EstimatorOptions(max_faces=options.max_faces, min_face_px=options.min_face_px, image_rotation=options.image_rotation)
            inputs = find_inputs(options.path, options.output)
            _prepare_outputs(options)
            estimator = HeadPoseEstimator.load(options.model, options.device, options.threads, finding)
            mute_findings()  # the summary has them, with the inputs' names
            print(f'model {estimator.model_name} on {estimator.device}', file=sys.stderr)
            return _run(estimator, inputs, options)
    except KeyboardInterrupt:
        return INTERRUPTED
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
        Records(options.json).check()


@dataclass
class _Counts:
    """What was read; the poses themselves are not kept, because a webcam runs for days."""

    images: int = 0
    faces: int = 0
    empty: int = 0
    problems: int = 0


def _run(estimator: HeadPoseEstimator, inputs: Inputs, options: argparse.Namespace) -> int:
    counts, findings = _Counts(), _Findings()
    drawings = Drawings(options.output, _print_problem) if options.output else None
    records = Records(options.json) if options.json else None
    last_output = None
    stopped = False
    try:
        for frame in inputs.frames():
            if frame.image is None:
                counts.problems += 1
                _print_problem(frame.problem)
                continue
            if frame.stamp_s is not None and frame.output != last_output:
                estimator.reset()
            last_output = frame.output
            poses = estimator.estimate(frame.image, stamp_s=frame.stamp_s)
            findings.add(frame, estimator.finding)
            counts.images += 1
            counts.faces += len(poses)
            counts.empty += not poses
            if records:
                records.add(_record(frame, poses))
            if drawings:
                drawings.write(frame, frame.image, poses)
            _progress(frame.name, counts, poses)
    except KeyboardInterrupt:
        stopped = True
        print('\nstopped; the results until here are kept', file=sys.stderr)
    finally:
        if drawings:
            drawings.close()
        _end_line()
        try:
            if records:
                records.close()
        finally:
            _report(counts, inputs.others, records, drawings)
    for line in findings.lines():
        print(line)
    if stopped and not inputs.live:
        return INTERRUPTED
    failed = counts.problems or (drawings and drawings.lost)
    return 0 if not failed else 1 if counts.images else 2


def _record(frame: Frame, poses: list[HeadPose]) -> dict[str, Any]:
    stamp = {} if frame.stamp_s is None else {'stamp_s': round(frame.stamp_s, 6)}
    return {'image': frame.name, **stamp, 'faces': [pose_record(p) for p in poses]}


def _report(counts: _Counts, others: list[Path], records: Records | None, drawings: Drawings | None) -> None:
    """Prints a summary."""
    print(
        f'{counted(counts.images, "image")}, {counted(counts.faces, "face")}, {counted(counts.empty, "image")} without a face'
        + (f', {counted(counts.problems, "input")} not readable or not complete' if counts.problems else '')
        + (f', {counted(drawings.lost, "drawing")} not written' if drawings and drawings.lost else '')
    )
    if others:
        what = 'is no picture and was' if len(others) == 1 else 'are no pictures and were'
        print(
            f'{counted(len(others), "other file")} in the folders {what} not read: {listed(others)}'
            ' (a video is read when it is named itself)'
        )
    if counts.images and not counts.faces:
        print(
            'no face: faces seen from behind, mostly covered, or smaller than --min-face-px (28 pixels at 640x480, 48 at 1920x1080) are '
            'not found; for a camera mounted sideways or upside down use --image-rotation'
        )
    if records and records.written:
        print(f'wrote {records.path}')
    if drawings and drawings.files:
        print(f'wrote {drawings.folder}')
    if not records and not drawings:
        print('to keep the results: --json FILE, --output DIR')


def _print_problem(problem: object) -> None:
    _end_line()
    print(f'demo: {problem}', file=sys.stderr)


def _end_line() -> None:
    """Ends the progress line on a terminal."""
    if sys.stderr.isatty():
        print(file=sys.stderr)


def _progress(name: str, count: _Counts, poses: list[HeadPose]) -> None:
    """Prints progress: on a terminal one line that is overwritten, elsewhere a line every hundred images."""
    angles = '  '.join(whole_angles(p.yaw_pitch_roll_deg) for p in poses[:2]) or 'no face'
    counts = f'{counted(count.images, "image")}, {counted(count.faces, "face")}'
    if sys.stderr.isatty():
        print(f'\r\x1b[K{counts}  {Path(name).name}: {angles}'[:120], end='', file=sys.stderr, flush=True)
    elif count.images % 100 == 0:
        print(counts, file=sys.stderr, flush=True)


if __name__ == '__main__':
    sys.exit(main())
