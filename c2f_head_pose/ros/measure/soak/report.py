"""Reports the result of a soak: a verdict, a page and a plot."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .driver import Record
from .growth import LEAST_S, LIMIT_PERCENT, SHOWN, WARM_UP_S, WATCHED, Growth, growths
from .plan import ACTIONS
from .samples import Sample

_BAD = ('Traceback (most recent call last)', '[ERROR]', '[FATAL]', 'terminate called', 'Segmentation fault')
_FIRST = 5
_COLOURS = ('#2f6fde', '#2a9d57', '#d64545', '#8a5fbf')


@dataclass(frozen=True)
class Verdict:
    """What was found.

    Attributes:
        seconds: duration of all runs.
        growths: growth of the judged figures, for each run that is long enough.
        shown: growth of figures that are shown and not judged.
        log_lines: lines of the logs with an unhandled exception or an error.
        problems: events that failed, and runs whose node ended.
    """

    seconds: float
    growths: list[Growth]
    shown: list[Growth]
    log_lines: list[str]
    problems: list[str]

    @property
    def failed(self) -> bool:
        """Whether anything is wrong."""
        return bool(self.log_lines or self.problems or any(growth.too_much for growth in self.growths))

    @property
    def word(self) -> str:
        """The verdict in a few words."""
        if self.failed:
            return 'FAILED'
        if not self.growths:
            return f'nothing wrong; too short to judge growth, which takes {(WARM_UP_S + LEAST_S) / 60:.0f} minutes in one run'
        return 'passed'


def judge(samples: Sequence[Sample], records: Sequence[Record], logs: Sequence[Path], ended: Sequence[str] = ()) -> Verdict:
    """Computes the verdict on all stored figures.

    Args:
        samples: samples of all runs.
        records: records of all events.
        logs: logs of the node, one for each run.
        ended: text on each run whose node ended by itself.
    """
    problems = [f'{record.at_s:.0f} s, {record.action}: {record.problem}' for record in records if record.problem]
    return Verdict(
        samples[-1].at_s if samples else 0.0, growths(samples), growths(samples, tuple(SHOWN)), bad_lines(logs), [*problems, *ended]
    )


def bad_lines(logs: Sequence[Path]) -> list[str]:
    """Returns the lines of logs that no run may have, each with its file's name."""
    return [
        f'{log.name}: {line.strip()}'
        for log in logs
        for line in log.read_text(errors='replace').splitlines()
        if any(word in line for word in _BAD)
    ]


def page(verdict: Verdict, samples: Sequence[Sample], records: Sequence[Record], undisturbed: tuple[int, int], conditions: str) -> str:
    """Formats the verdict and its figures as Markdown.

    Args:
        verdict: the verdict of `judge`.
        samples: samples of all runs.
        records: records of all events.
        undisturbed: images sent and answered while nothing else happened.
        conditions: command, machine, load, commit.
    """
    lines = [
        f'**{verdict.word}** after {verdict.seconds / 60:.0f} minutes in {len({s.run for s in samples})} run(s), '
        f'{len(records)} events; {conditions}',
        '',
    ]
    lines += [f'- {line}' for line in [*verdict.problems, *verdict.log_lines][:_FIRST]]
    lines += [
        f'- images {sum(s.sent for s in samples)}, answered {sum(s.answered for s in samples)}; while nothing else happened '
        f'{undisturbed[1]} of {undisturbed[0]}',
        '',
    ]
    if verdict.growths:
        lines += [
            f'After {WARM_UP_S / 60:.0f} minutes of warm-up (limit {LIMIT_PERCENT:g} %; what is in brackets is not judged):',
            '',
            '| What | Run | At first | Slope per hour | Over | Growth |',
            '|---|---|---|---|---|---|',
        ]
        names = WATCHED | {what: f'({name})' for what, name in SHOWN.items()}
        lines += [
            f'| {names[g.what]} | {g.run} | {g.level:.1f} | {g.slope_per_hour:+.3f} | {60 * g.hours:.0f} min | {g.percent:+.2f} % |'
            for g in [*verdict.growths, *verdict.shown]
        ] + ['']
    lines += ['| Event | Times | Went wrong | Answered again after, s (median, worst) | What |', '|---|---|---|---|---|']
    for action, what in ACTIONS.items():
        of_action = [record for record in records if record.action == action]
        recovery_s = [record.recovery_s for record in of_action if np.isfinite(record.recovery_s)] or [np.nan]
        lines.append(
            f'| {action} | {len(of_action)} | {sum(bool(record.problem) for record in of_action)} '
            f'| {np.median(recovery_s):.2f}, {max(recovery_s):.2f} | {what} |'
        )
    return '\n'.join(lines) + '\n'


def plot(samples: Sequence[Sample], records: Sequence[Record], path: Path) -> None:
    """Plots memory, threads and handles, latency and load over time, with events as marks below."""
    import matplotlib

    matplotlib.use('Agg')
    from matplotlib import pyplot as plt

    minutes = np.array([sample.at_s for sample in samples]) / 60
    quiet = np.array([not sample.action for sample in samples])
    panels = (
        (('memory_mb', 'own_mb', 'mapped_mb'), 'MB'),
        (('threads', 'handles'), 'count'),
        (('latency_median_ms', 'latency_p99_ms'), 'ms'),
        (('load', 'cpu_share'), 'cores'),
    )
    figure, axes = plt.subplots(len(panels), 1, sharex=True, figsize=(10, 9), constrained_layout=True)
    for axis, (columns, unit) in zip(axes, panels):
        for column, colour in zip(columns, _COLOURS):
            values = np.array([getattr(sample, column) for sample in samples], float)
            axis.plot(minutes, values, color=colour, linewidth=0.6, alpha=0.35)
            axis.plot(minutes[quiet], values[quiet], '.', color=colour, markersize=2.5, label=column.replace('_', ' '))
        axis.set_ylabel(unit)
        axis.set_ylim(bottom=0)
        axis.grid(alpha=0.3)
        axis.legend(loc='lower right', ncols=3, frameon=False, markerscale=4)
    axes[1].eventplot([[record.at_s / 60 for record in records]], lineoffsets=1.0, linelengths=2.0, linewidths=0.5, colors='#777777')
    axes[2].set_ylim(bottom=1)
    axes[2].set_yscale('log')
    for run in {sample.run for sample in samples} - {samples[0].run}:
        start = next(sample.at_s for sample in samples if sample.run == run) / 60
        for axis in axes:
            axis.axvline(start, color='#333333', linestyle='--', linewidth=0.8)
    axes[0].set_title('dots: while nothing else happens; thin lines: during events too; marks below the threads: events')
    axes[-1].set_xlabel('minutes of soaking')
    figure.savefig(path, dpi=90)
    plt.close(figure)
