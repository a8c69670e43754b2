"""Decides whether an evaluation passes: evaluates expressions over metrics.json and compares with an earlier evaluation."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

_TOKENS = re.compile(r'\s*(?:(\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+)|([A-Za-z_][\w.]*)|(<=|>=|==|!=|[<>()+*/-]))')
_COMPARE: dict[str, Callable[[float, float], bool]] = {
    '<': operator.lt,
    '<=': operator.le,
    '>': operator.gt,
    '>=': operator.ge,
    '==': operator.eq,
    '!=': operator.ne,
}
_UNCOUNTED = 'latency_ms.'
"""Figures that depend on what else the machine does, so that their intervals do not hold for another run."""
_HIGHER_IS_BETTER = ('detection.rate', 'images.coverage', 'images.readable', 'coarse.beyond_0')


class GateError(ValueError):
    """An expression is malformed or names an unknown figure."""


class UnknownFigureError(GateError):
    """An expression is well formed, but this evaluation lacks one of its figures, for example without a truth."""


def evaluate(expression: str, metrics: Mapping[str, Any] | None) -> bool:
    """Evaluates an expression.

    Args:
        expression: comparisons of figures such as `geodesic_deg.mean > 6`, with + - * /, parentheses, and, or, not.
        metrics: nested figures by name; None checks the grammar only, with the value 1 for each figure.

    Returns:
        Whether the condition holds.

    Raises:
        GateError: for a malformed expression, naming the place.
        UnknownFigureError: for a figure that is missing or None.
    """
    parser = _Parser(expression, metrics)
    try:
        result = parser.either()
    except RecursionError:
        raise GateError('the expression nests too many parentheses, signs or nots; remove some') from None
    parser.end()
    if not isinstance(result, bool):
        raise GateError(f'{expression!r} is a number, not a condition; compare it: {expression} > 1')
    return result


_NEED_TRUTH = ('geodesic_deg', 'yaw_deg', 'pitch_deg', 'roll_deg', 'mae_deg', 'by_yaw', 'by_pitch', 'coarse', 'calibration', 'aligned')


def figure(metrics: Mapping[str, Any], name: str) -> float | None:
    """Returns a figure by its dotted name; None where it is unknown, that is None, NaN or infinite.

    Raises:
        UnknownFigureError: for a name that these metrics lack, with the known ones.
        GateError: for a name that is not that of a number.
    """
    value: Any = metrics
    for part in name.split('.'):
        if value is None:
            return None
        if not isinstance(value, Mapping) or part not in value:
            if part in _NEED_TRUTH:
                raise UnknownFigureError(f'{name} is computed only for faces with a known true pose; name the truth with --truth')
            raise UnknownFigureError(
                f'there is no figure {name}; known are: '
                f'{", ".join(sorted(value)) if isinstance(value, Mapping) else "none with this beginning"}'
            )
        value = value[part]
    if value is None:
        return None
    if isinstance(value, (Mapping, list, str)):
        inside = f'; did you mean {name}.{next(iter(value))}?' if isinstance(value, Mapping) and value else ''
        raise GateError(f'{name} is not a number{inside}')
    return float(value) if math.isfinite(value) else None  # as in metrics.json; each comparison with NaN would be False


class _Parser:
    """Recursive-descent parser, from the loosest operator to the tightest: or, and, not, comparison, sum, product, sign."""

    def __init__(self, text: str, metrics: Mapping[str, Any] | None) -> None:
        self._text, self._metrics = text, metrics
        self._tokens: list[str] = []
        position = 0
        while position < len(text.rstrip()):
            match = _TOKENS.match(text, position)
            if match is None:
                raise GateError(f'{text!r}: {text[position:].strip()!r} cannot be read')
            self._tokens.append(match.group().strip())
            position = match.end()
        self._next = 0

    def end(self) -> None:
        if self._next < len(self._tokens):
            raise GateError(f'{self._text!r}: {self._tokens[self._next]!r} was not expected')

    def either(self) -> Any:
        value = self._both()
        while self._take('or'):
            other = self._both()
            value = self._condition(value) | self._condition(other)
        return value

    def _both(self) -> Any:
        value = self._negation()
        while self._take('and'):
            other = self._negation()
            value = self._condition(value) & self._condition(other)
        return value

    def _negation(self) -> Any:
        if self._take('not'):
            return not self._condition(self._negation())
        return self._comparison()

    def _comparison(self) -> Any:
        value = self._sum()
        if self._peek() in _COMPARE:
            compare = _COMPARE[self._pop()]
            return compare(self._number(value), self._number(self._sum()))
        return value

    def _sum(self) -> Any:
        value = self._product()
        while self._peek() in ('+', '-'):
            sign = 1 if self._pop() == '+' else -1
            value = self._number(value) + sign * self._number(self._product())
        return value

    def _product(self) -> Any:
        value = self._atom()
        while self._peek() in ('*', '/'):
            divide = self._pop() == '/'
            other = self._number(self._atom())
            if divide and other == 0 and self._metrics is not None:
                raise GateError(f'{self._text!r} divides by zero')
            value = self._number(value) / (other or 1.0) if divide else self._number(value) * other
        return value

    def _atom(self) -> Any:
        token = self._pop()
        if token == '-':
            return -self._number(self._atom())
        if token == '(':
            value = self.either()
            if not self._take(')'):
                raise GateError(f'{self._text!r}: a ) is missing')
            return value
        if token[0].isdigit() or token[0] == '.':
            return float(token)
        if token[0].isalpha() or token[0] == '_':
            value = 1.0 if self._metrics is None else figure(self._metrics, token)
            if value is None:
                raise UnknownFigureError(f'{token} is not known for this evaluation')
            return value
        raise GateError(f'{self._text!r}: {token!r} was not expected')

    def _peek(self) -> str:
        return self._tokens[self._next] if self._next < len(self._tokens) else ''

    def _pop(self) -> str:
        if self._next == len(self._tokens):
            raise GateError(f'{self._text!r} ends too early')
        self._next += 1
        return self._tokens[self._next - 1]

    def _take(self, token: str) -> bool:
        if self._peek() == token:
            self._next += 1
            return True
        return False

    def _condition(self, value: Any) -> bool:
        if not isinstance(value, bool):
            raise GateError(f'{self._text!r}: and, or and not join conditions, not numbers')
        return value

    def _number(self, value: Any) -> float:
        if isinstance(value, bool):
            raise GateError(f'{self._text!r}: a condition stands where a number is needed')
        return float(value)


@dataclass(frozen=True)
class Change:
    """The change of a figure from an earlier evaluation.

    Attributes:
        figure: the figure's dotted name.
        before: value of the earlier evaluation.
        now: value of this evaluation.
        margin: root of the sum of squares of both confidence intervals' half-widths; a smaller change may be chance.
        verdict: 'better', 'worse' or 'same'.
    """

    figure: str
    before: float
    now: float
    margin: float
    verdict: str


def compare(now: Mapping[str, Any], before: Mapping[str, Any], same_recordings: bool = False) -> list[Change]:
    """Compares all figures that have a confidence interval in both evaluations.

    Args:
        now: the `overall` of this evaluation's metrics.json.
        before: the `overall` of the earlier one's.
        same_recordings: both evaluated the same recordings, so how much recordings differ does not matter.

    Returns:
        The changes, in order of the names; those within the margin have the verdict 'same'.
    """
    intervals = _intervals(now, before, 'ci95') | (_intervals(now, before, 'ci95_of_these') if same_recordings else {})
    changes = []
    for name, both in sorted(intervals.items()):
        value, earlier = figure(now, name), figure(before, name)
        if value is None or earlier is None:
            continue
        margin = math.hypot(*((high - low) / 2 for low, high in both))
        difference = value - earlier
        gain = difference if name in _HIGHER_IS_BETTER else -difference
        verdict = 'same' if abs(difference) <= margin else 'better' if gain > 0 else 'worse'
        changes.append(Change(name, earlier, value, margin, verdict))
    return changes


def _intervals(now: Mapping[str, Any], before: Mapping[str, Any], kind: str) -> dict[str, tuple[list[float], list[float]]]:
    """Returns the confidence intervals of one kind of the figures for which both evaluations have one."""
    intervals, intervals_before = (m.get(kind) or {} for m in (now, before))
    return {name: (intervals[name], intervals_before[name]) for name in set(intervals) & set(intervals_before)}


def count_changes(changes: Sequence[Change]) -> dict[str, int]:
    """Counts the verdicts `better`, `worse` and `same` of all figures but latencies, for conditions."""
    counted = [c.verdict for c in changes if not c.figure.startswith(_UNCOUNTED)]
    return {verdict: counted.count(verdict) for verdict in ('better', 'worse', 'same')}


def check(expression: str) -> None:
    """Checks an expression's grammar, so that a malformed one is refused before the recordings are evaluated.

    Raises:
        GateError: for a malformed expression, naming the place.
    """
    evaluate(expression, None)


def judge(expression: str, metrics: Mapping[str, Any]) -> dict[str, Any]:
    """Evaluates an expression for metrics.json's `gate`.

    Returns:
        Expression, `failed` (True, False, or None if it cannot be decided), and the verdict as text.
    """
    try:
        failed = evaluate(expression, metrics)
    except GateError as error:
        return {'expression': expression, 'failed': None, 'verdict': f'undecided: {error}'}
    return {'expression': expression, 'failed': failed, 'verdict': 'FAILED' if failed else 'passed'}
