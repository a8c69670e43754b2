"""Finishes an evaluation: writes metrics.json and report.html, prints the verdict, and determines the exit code."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..counting import counted
from ..interruption import INTERRUPTED
from . import gate, results
from .report.html import write_report
from .report.worst import Thumbnail
from .summary import Scored, summarise

PASSED, GATE_TRIPPED, NOTHING, PARTIAL, UNDECIDED = 0, 1, 2, 3, 4
"""Exit codes, with INTERRUPTED; see command_line.py."""


@dataclass(eq=False)
class Done:
    """One recording, evaluated now or earlier.

    Attributes:
        entry: the recording's entry in metrics.json.
        scored: the results; None if no image could be read.
        worst: thumbnails of the worst frames.
        environment: versions and hardware of the evaluation; empty for a recording that was left out.
        folder: folder of the recording's files; None for an earlier result.
        interrupted: the user interrupted the evaluation, during this recording or before it.
    """

    entry: dict[str, Any]
    scored: Scored | None
    worst: Sequence[Thumbnail]
    environment: dict[str, Any]
    folder: Path | None = None
    interrupted: bool = False


def conclude(done: Sequence[Done], output: Path, command: Sequence[str], baseline: dict[str, Any] | None, fail_if: Sequence[str]) -> int:
    """Writes the figures and the report, prints the verdict, and returns the exit code.

    Args:
        done: the recordings.
        output: existing folder for the files.
        command: the command line, for metrics.json.
        baseline: an earlier metrics.json; None without.
        fail_if: gate expressions.

    Raises:
        OSError: naming the file that cannot be written.
    """
    scored = [d.scored for d in done if d.scored is not None]
    overall = summarise(scored) if scored else {}
    changes = None
    if baseline is not None:
        now, before = (_measured(recordings) for recordings in ([d.entry for d in done], baseline['recordings']))
        changes = gate.compare(overall, baseline['overall'], now == before)
        overall['baseline'] = gate.count_changes(changes)
        for entry, earlier in _pairs([d.entry for d in done], baseline['recordings']):
            entry['alignment_change'] = results.alignment_change(entry['alignment'], earlier['alignment'])
    verdicts = [gate.judge(expression, overall) for expression in fail_if]
    facts = next((d.environment for d in done if d.environment), {})
    record = results.result_record(command, facts, [d.entry for d in done], overall, changes, verdicts)
    if len(done) > 1:
        for d in done:
            if d.folder is not None:
                single = results.result_record(command, d.environment, [d.entry], d.entry.get('figures', {}), None, [])
                results.write_json(d.folder / 'metrics.json', single)
    write_report(output / 'report.html', record, [(d.scored, d.worst) for d in done if d.scored is not None])
    results.write_json(output / 'metrics.json', record)  # after the report, without which the results are not complete
    _print_verdict(record, output)
    if any(d.interrupted for d in done):
        return INTERRUPTED
    if not scored:
        return NOTHING
    if any(v['failed'] for v in verdicts):
        return GATE_TRIPPED
    if any(v['failed'] is None for v in verdicts):
        return UNDECIDED
    return PASSED if record['complete'] else PARTIAL


def _measured(entries: Sequence[dict[str, Any]]) -> list[tuple[str, bool, int]]:
    """Returns what figures are of: each recording's name, whether it was evaluated whole, and its number of images.

    One that cannot be read now, or no longer to its end, leaves figures of other recordings.
    """
    images = [(entry.get('figures') or {}).get('images') or {} for entry in entries]
    return sorted((entry['name'], entry['complete'], i.get('n', 0) + i.get('unreadable', 0)) for entry, i in zip(entries, images))


def _pairs(now: Sequence[dict[str, Any]], before: Sequence[dict[str, Any]]) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Pairs entries of the same name; one recording and one are paired even if a folder was renamed."""
    if len(now) == len(before) == 1:
        return [(now[0], before[0])]
    named = {entry['name']: entry for entry in before}
    return [(entry, named[entry['name']]) for entry in now if entry['name'] in named]


def _print_verdict(record: dict[str, Any], output: Path) -> None:
    """Prints the verdict in a few lines."""
    overall = record['overall']
    images = overall.get('images')
    if images:
        lost = [f'{images[kind]} {kind}' for kind in ('dropped', 'unreadable') if images.get(kind)]
        dropped = f' ({", ".join(lost)})' if lost else ''
        print(
            f'{counted(images["n"], "image")}{dropped} in {images["wall_s"]:.1f} s ({images["times_real_time"] or 0:.1f} x real time), '
            f'a face in {100 * (images["coverage"] or 0):.1f} %'
        )
    for label, part in (('raw', overall), ('aligned', overall.get('aligned'))):
        if part and part.get('geodesic_deg'):
            axes = '  '.join(f'{axis} {part[f"{axis}_deg"]["mae"]:.2f}' for axis in ('yaw', 'pitch', 'roll') if part[f'{axis}_deg'])
            print(f'{label:8s} geodesic {part["geodesic_deg"]["mean"]:.2f} deg (median {part["geodesic_deg"]["p50"]:.2f}), MAE {axes}')
    for entry in record['recordings']:
        if alignment := entry['alignment']:
            std_s = alignment['time_offset_std_s']
            margin = f' +- {1e3 * std_s:.0f}' if std_s is not None and std_s == std_s else ''
            found = alignment['time_offset_found']
            unknown = 'unknown, because the head hardly moves or the truth has few samples'
            offset = f'{1e3 * alignment["time_offset_s"]:+.0f}{margin} ms' if found else unknown
            print(
                f'{entry["name"]}: truth against estimates: time offset {offset}, mount rotation {alignment["rotation_deg"]:.2f} deg '
                f"({alignment['side']} side; it includes the model's bias)"
            )
        if change := entry.get('alignment_change'):
            print(
                f'{entry["name"]}: against the baseline: time offset {1e3 * change["time_offset_s"]:+.0f} ms, '
                f'mount rotation {change["rotation_deg"]:.2f} deg'
            )
        if likelier := entry['likelier_convention']:
            print(f'{entry["name"]}: the truth fits much better with --truth-axes {likelier["axes"]} --truth-parent {likelier["parent"]}')
    for c in record['comparison'] or ():
        if c['verdict'] != 'same':
            print(f'{c["verdict"]}: {c["figure"]} {c["before"]:.4g} -> {c["now"]:.4g} (margin {c["margin"]:.2g})')
    for verdict in record['gate']:
        print(f'gate: {verdict["expression"]}: {verdict["verdict"]}')
    print(f'wrote {output / "metrics.json"} and report.html beside it')
