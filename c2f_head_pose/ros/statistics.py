"""Counts images, and measures rates and latencies of a running node for its diagnostics."""

from __future__ import annotations

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

WINDOW_S = 10.0
OVERTAKEN = 'newer image'
"""The cause of a drop: a newer image came before this one could be looked at."""
LOST = 'not delivered'
"""The cause of a drop: the image was sent and never came."""
_FEW_IMAGES = 10
_FAILING_IN_ROW = 3


@dataclass(frozen=True)
class Answer:
    """Times of one processed image.

    Attributes:
        faces: number of faces that were found.
        faces_in_region: number of those in `seat_region`, of which one is the primary face.
        processing_ms: milliseconds from taking the image out of the mailbox to the end.
        age_ms: age of the image by its stamp when it was taken out, milliseconds; None for a stamp of another clock.
        latency_ms: milliseconds from the image's stamp to the publishing of its poses; None likewise. The annotated image follows.
        stage_ms: milliseconds by stage.
        stage_cpu_ms: milliseconds of processor time by stage.
    """

    faces: int
    faces_in_region: int
    processing_ms: float
    age_ms: float | None = None
    latency_ms: float | None = None
    stage_ms: Mapping[str, float] = field(default_factory=dict)
    stage_cpu_ms: Mapping[str, float] = field(default_factory=dict)


class Statistics:
    """Counts since activation and a window of the last seconds; thread-safe."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Starts counting.

        Args:
            clock: seconds, steady.
        """
        self._clock = clock
        self._lock = threading.Lock()
        self._images: deque[float] = deque()
        self._answers: deque[tuple[float, Answer]] = deque()
        self._overtaken: deque[float] = deque()
        self._lost: deque[float] = deque()
        self._dropped: Counter[str] = Counter()
        self._bad_in_row = 0
        self._failed_in_row = 0
        self.images = 0
        self.answered = 0
        self.last_image_s: float | None = None
        self._last_answer_s: float | None = None
        self.last_failure = ''

    def count_image(self) -> None:
        """Counts an image that arrived."""
        with self._lock:
            self.images += 1
            self.last_image_s = self._clock()
            self._images.append(self.last_image_s)

    def count_drop(self, cause: str, count: int = 1) -> None:
        """Counts images that were not processed for a reason that is not a fault, such as a newer image."""
        with self._lock:
            self._dropped[cause] += count
            if cause in (OVERTAKEN, LOST):
                (self._lost if cause == LOST else self._overtaken).extend([self._clock()] * count)

    def count_bad_image(self, cause: str, text: str) -> None:
        """Counts an image that could not be read."""
        with self._lock:
            self._dropped[cause] += 1
            self._bad_in_row += 1
            self.last_failure = text

    def count_failure(self, cause: str, text: str) -> None:
        """Counts an image on which the estimator failed."""
        with self._lock:
            self._dropped[cause] += 1
            self._failed_in_row += 1
            self.last_failure = text

    def count_answer(self, answer: Answer) -> None:
        """Counts an image that was answered."""
        with self._lock:
            self.answered += 1
            self._bad_in_row = self._failed_in_row = 0
            self._last_answer_s = self._clock()
            self._answers.append((self._last_answer_s, answer))

    @property
    def unanswered_s(self) -> float:
        """Seconds since the last answer; 0 before the first."""
        with self._lock:
            return 0.0 if self._last_answer_s is None else self._clock() - self._last_answer_s

    @property
    def model_failing(self) -> bool:
        """Whether the last images, three or more in a row, made the estimator fail."""
        return self._failed_in_row >= _FAILING_IN_ROW

    @property
    def images_bad(self) -> bool:
        """Whether the last images, three or more in a row, could not be read."""
        return self._bad_in_row >= _FAILING_IN_ROW

    @property
    def dropped(self) -> dict[str, int]:
        """Images not answered since the start, by cause."""
        with self._lock:
            return dict(self._dropped)

    @property
    def missed(self) -> tuple[float, float]:
        """The parts of the images sent in the window that newer ones overtook, and that never came, each 0 to 1; 0 while there are few."""
        with self._lock:
            self._forget_old()
            sent = len(self._images) + len(self._lost)
            return (len(self._overtaken) / sent, len(self._lost) / sent) if sent >= _FEW_IMAGES else (0.0, 0.0)

    @property
    def last_answer(self) -> Answer | None:
        """The newest answer of the window; None if there is none."""
        with self._lock:
            self._forget_old()
            return self._answers[-1][1] if self._answers else None

    def values(self) -> dict[str, str]:
        """Returns all figures as text by name, for a diagnostic status."""
        with self._lock:
            self._forget_old()
            answers = [answer for _, answer in self._answers]
            values = {
                'images': str(self.images),
                'answered': str(self.answered),
                'image rate (Hz)': f'{_rate(list(self._images)):.1f}',
                'answer rate (Hz)': f'{_rate([at for at, _ in self._answers]):.1f}',
            }
            values |= {f'dropped: {cause}': str(count) for cause, count in sorted(self._dropped.items())}
            if self.last_image_s is not None:
                values['last image (s ago)'] = f'{self._clock() - self.last_image_s:.1f}'
            span_s = self._clock() - self._answers[0][0] if answers else 0.0
        return values | _figures(answers, span_s) if answers else values

    def _forget_old(self) -> None:
        oldest = self._clock() - WINDOW_S
        for times_s in (self._images, self._overtaken, self._lost):
            while times_s and times_s[0] < oldest:
                times_s.popleft()
        while self._answers and self._answers[0][0] < oldest:
            self._answers.popleft()


def _rate(times_s: list[float]) -> float:
    return (len(times_s) - 1) / (times_s[-1] - times_s[0]) if len(times_s) > 1 and times_s[-1] > times_s[0] else 0.0


def _percentiles(values: list[float | None]) -> str:
    known = [value for value in values if value is not None]
    if not known:
        return 'unknown: stamps are not of this clock'
    return ', '.join(f'{value:.1f}' for value in (np.median(known), np.percentile(known, 99), max(known)))


def _figures(answers: list[Answer], span_s: float) -> dict[str, str]:
    """What the answers since the first of them, `span_s` seconds ago, took."""
    values = {
        'faces': str(answers[-1].faces),
        'processing (ms: median, p99, worst)': _percentiles([answer.processing_ms for answer in answers]),
        'age when taken up (ms: median, p99, worst)': _percentiles([answer.age_ms for answer in answers]),
        'stamp to publish (ms: median, p99, worst)': _percentiles([answer.latency_ms for answer in answers]),
    }
    for stage in answers[-1].stage_ms:
        values[f'stage {stage} (ms: median)'] = f'{np.median([a.stage_ms[stage] for a in answers if stage in a.stage_ms]):.2f}'
        cpu_ms = sum(answer.stage_cpu_ms.get(stage, 0.0) for answer in answers[1:])  # the first's was spent before
        values[f'stage {stage} (% of a core)'] = f'{cpu_ms / span_s / 10 if span_s > 0 else 0.0:.1f}'
    return values
