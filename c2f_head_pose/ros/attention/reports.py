"""Keeps the reports on /diagnostics of the nodes that publish the poses, which tell why no pose arrives."""

from __future__ import annotations

import time
from collections.abc import Iterable, Set

from ...types import HeadPose
from ..diagnostics import Report, State

_REPORT_S = 2.5
"""A report is valid for this time, seconds; head_pose sends one a second."""

_SEARCHES = (State.OK, State.DEGRADED)
"""States in which images are answered; with these, the number of faces tells whether `~/head_pose` is published."""


class PoseReports:
    """The last report of each node that publishes poses."""

    def __init__(self) -> None:
        self._reports: dict[str, tuple[Report, float]] = {}

    def take(self, reports: Iterable[Report], publishers: Set[str]) -> None:
        """Keeps the reports of nodes that publish poses now, and drops those of others.

        Args:
            reports: new reports.
            publishers: full names of the nodes that publish poses.
        """
        self._reports = {node: report for node, report in self._reports.items() if f'/{node}' in publishers}
        self._reports |= {report.node: (report, time.monotonic()) for report in reports if f'/{report.node}' in publishers}

    @property
    def image_frames(self) -> set[str]:
        """Frames of the images that the nodes process."""
        return {report.image_frame for report, _ in self._reports.values() if report.image_frame}

    def heads(self) -> tuple[bool, list[HeadPose] | None]:
        """Interprets the valid reports.

        Returns:
            Whether they tell why no pose arrives; and then an empty list if no face was found, or None if the camera is blind.
        """
        fresh = [report for report, at_s in self._reports.values() if time.monotonic() - at_s <= _REPORT_S]
        if not fresh or any(_finds_faces(report) for report in fresh):
            return False, None
        return True, [] if any(_finds_nobody(report) for report in fresh) else None


def _finds_faces(report: Report) -> bool:
    return report.state in _SEARCHES and report.faces != 0


def _finds_nobody(report: Report) -> bool:
    return report.state is State.NO_FACE or (report.state in _SEARCHES and report.faces == 0)
