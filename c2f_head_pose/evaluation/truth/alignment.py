"""Estimates how the truth is shifted against the estimates: by a time offset, a mount rotation, or another convention.

A constant rotation between the two is the sum of the truth's mounting and the model's constant bias, which the data cannot separate.
Therefore raw errors are reported first, and aligned errors beside them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...geometry import rotation_vector
from ..rotations import median_rotation, rotations_from_quaternions
from .heads import AXES, PARENTS, Truth, TruthHead

_SEARCH_S = 0.5
_COARSE_S = 0.02
_OFFSETS_S = _COARSE_S * np.arange(-round(_SEARCH_S / _COARSE_S), round(_SEARCH_S / _COARSE_S) + 1)
"""(51,) offsets that are tried first; the middle one is exactly 0, for truth that is known only at the images' own stamps."""
_FINE_S = 0.001
_PARTS = 8
_LARGEST_SAMPLE = 3000
_LEAST_SAMPLE = 20
_LEAST_SHARE = 0.5
"""An offset is tried only if the truth is known there for this share of the pairs for which it is known without one."""
_LEAST_GAIN = 0.02
"""The offset counts as found if the residual a quarter of a second beside it is larger by this fraction and by 0.2 degrees."""
_LEAST_GAIN_DEG = 0.2
_CAMERA_WINS_BY = 0.8
"""The rotation is assigned to the head's side, as a model's bias is, unless the camera's side has a residual smaller by a fifth."""
_WINS_BY = 0.5
_WINS_BY_DEG = 10.0
_RADIANS_WIN_BY_DEG = 2.0
_CAPPED_DEG = 60.0


@dataclass(frozen=True, eq=False)
class Alignment:
    """The transform from the stated truth R(t) to the truth that the estimates fit: R_left R(t + offset) R_right.

    Attributes:
        time_offset_s: delay of the truth's stamps, seconds: the truth for an image at t has the stamp t + offset.
        time_offset_std_s: standard error of the offset, seconds, from the scatter over parts of the recording; NaN if it was not found.
        time_offset_found: whether the head moves enough, and the truth has samples enough, to determine the offset.
        side: side of the rotation: 'head' (R_right, of a tracker on the head or the model's bias) or 'camera' (R_left).
        rotations: by side, the (3, 3) rotation that fits best.
        residuals_deg: by side, the mean angle between truth and estimates after that rotation, degrees; angles above 60 count as 60.
        samples: number of pairs.
        residual_raw_deg: mean angle between the stated truth and the estimates, degrees, likewise.
        curve: (k, 2) offsets in seconds, and the residual in degrees with the best rotation at each.
    """

    time_offset_s: float
    time_offset_std_s: float
    time_offset_found: bool
    side: str
    rotations: dict[str, np.ndarray]
    residuals_deg: dict[str, float]
    samples: int
    residual_raw_deg: float
    curve: np.ndarray

    @property
    def R(self) -> np.ndarray:
        """The (3, 3) mount rotation of the chosen side."""
        return self.rotations[self.side]

    @property
    def rotation_deg(self) -> float:
        """Size of the mount rotation, degrees."""
        return float(np.degrees(np.linalg.norm(rotation_vector(self.R))))

    def apply(self, head: TruthHead, at_s: np.ndarray, max_gap_s: float) -> tuple[np.ndarray, np.ndarray]:
        """Computes the aligned truth at image stamps.

        Args:
            head: the true head.
            at_s: (m,) stamps of the images, seconds.
            max_gap_s: largest gap in the truth to interpolate over, seconds.

        Returns:
            (m, 3, 3) R_cam_head, NaN where unknown, and (m,) bool, True where known.
        """
        q, known = head.at(np.asarray(at_s) + self.time_offset_s, max_gap_s)
        R = rotations_from_quaternions(q)
        return (R @ self.R if self.side == 'head' else self.R @ R), known


@dataclass(frozen=True, eq=False)
class Pairs:
    """The estimates that are matched to one head.

    Attributes:
        head: the true head.
        stamps_s: (n,) stamps of the images, seconds.
        R: (n, 3, 3) R_cam_head, unsmoothed, so that the offset does not contain the smoothing's lag.
    """

    head: TruthHead
    stamps_s: np.ndarray
    R: np.ndarray


def estimate_alignment(pairs: Sequence[Pairs], max_gap_s: float) -> Alignment | None:
    """Finds the time offset and the mount rotation with the smallest residual between truth and estimates.

    Args:
        pairs: the estimates of each head.
        max_gap_s: largest gap in the truth to interpolate over, seconds.

    Returns:
        The alignment; None with fewer than 20 pairs.
    """
    count = sum(len(p.stamps_s) for p in pairs)
    stride = max(1, -(-count // _LARGEST_SAMPLE))
    thinned = [Pairs(p.head, p.stamps_s[::stride], p.R[::stride]) for p in pairs if len(p.stamps_s)]
    fits = _Fits(thinned, max_gap_s)
    if fits.at(0.0, 'head') is None or fits.at(0.0, 'head').samples < _LEAST_SAMPLE:  # type: ignore[union-attr]
        return None
    curves = {side: fits.curve(_OFFSETS_S, side) for side in ('head', 'camera')}
    best = {side: fits.refine(curve, side) for side, curve in curves.items()}
    side = 'camera' if best['camera'].residual_deg < _CAMERA_WINS_BY * best['head'].residual_deg else 'head'
    curve, fit = curves[side], best[side]
    beside = np.interp([fit.offset_s - 0.25, fit.offset_s + 0.25], curve[:, 0], curve[:, 1])
    inside = abs(fit.offset_s) < _SEARCH_S - _COARSE_S
    found = inside and bool((beside - fit.residual_deg).min() > max(_LEAST_GAIN_DEG, _LEAST_GAIN * fit.residual_deg))
    both = {s: best[s] if found else fits.at(0.0, s) or best[s] for s in best}
    std_s = _offset_std_s(thinned, max_gap_s, fit, side) if found else float('nan')
    return Alignment(
        both[side].offset_s,
        std_s,
        found,
        side,
        {s: f.R for s, f in both.items()},
        {s: f.residual_deg for s, f in both.items()},
        fit.samples,
        fits.raw_deg(0.0),
        curve,
    )


def _offset_std_s(pairs: Sequence[Pairs], max_gap_s: float, whole: _Fit, side: str) -> float:
    """Standard error of the offset, from fits in several parts of the recording near the whole's offset.

    A model's errors depend on the pose and shift each part's offset differently; the scatter of the parts gives the whole's error.
    """
    low, high = min(p.stamps_s[0] for p in pairs), max(p.stamps_s[-1] for p in pairs)
    offsets = []
    for k in range(_PARTS):
        start, end = low + k * (high - low) / _PARTS, low + (k + 1) * (high - low) / _PARTS
        inside = [Pairs(p.head, p.stamps_s[i], p.R[i]) for p in pairs if (i := (p.stamps_s >= start) & (p.stamps_s <= end)).sum()]
        fits = _Fits(inside, max_gap_s)
        curve = fits.curve(whole.offset_s + np.arange(-0.2, 0.2 + 1e-9, 2 * _COARSE_S), side)
        if len(curve) > 2 and 0 < (lowest := int(np.argmin(curve[:, 1]))) < len(curve) - 1:
            before, at, after = curve[lowest - 1 : lowest + 2, 1]
            offsets.append(curve[lowest, 0] + _COARSE_S * (before - after) / max(before - 2 * at + after, 1e-9))
    return float(np.std(offsets, ddof=1) / np.sqrt(len(offsets))) if len(offsets) > 1 else float('nan')


def likelier_convention(truth: Truth, pairs: Sequence[Pairs], max_gap_s: float) -> tuple[str, str] | None:
    """Finds axes and parent frame in which the truth fits much better than in the stated ones.

    Args:
        truth: the truth in its stated convention.
        pairs: the estimates of each head.
        max_gap_s: largest gap in the truth to interpolate over, seconds.

    Returns:
        Axes and parent frame, or None if the stated ones fit.
    """

    def residual(axes: str, parent: str) -> float:
        stated = truth.stated_in(axes, parent)
        renamed = {h.name: h for h in stated.heads}
        return _Fits([Pairs(renamed[p.head.name], p.stamps_s, p.R) for p in pairs], max_gap_s).raw_deg(0.0)

    if not pairs or not len(pairs[0].stamps_s):
        return None
    now = residual(truth.axes, truth.parent)
    residuals = {(a, p): residual(a, p) for a in AXES for p in PARENTS}
    best = min(residuals, key=lambda k: residuals[k])
    return best if residuals[best] < min(_WINS_BY * now, now - _WINS_BY_DEG) else None


def fits_as_radians(truth: Truth, pairs: Sequence[Pairs], max_gap_s: float) -> bool:
    """Whether the truth's angles fit much better as radians than as degrees, which their columns state."""
    renamed = {head.name: head for head in truth.as_radians}
    if not renamed or not any(len(p.stamps_s) for p in pairs):
        return False
    now = _Fits(pairs, max_gap_s).raw_deg(0.0)
    then = _Fits([Pairs(renamed[p.head.name], p.stamps_s, p.R) for p in pairs], max_gap_s).raw_deg(0.0)
    return then < min(_WINS_BY * now, now - _RADIANS_WIN_BY_DEG)


@dataclass(frozen=True, eq=False)
class _Fit:
    offset_s: float
    R: np.ndarray
    residual_deg: float
    samples: int


class _Fits:
    """Computes the best rotation and the residual for a time offset.

    Truth with long gaps, such as that of keyframes, is known for few pairs at some offsets; a rotation that fits these few pairs says
    nothing about the offset, so such offsets have no fit.
    """

    def __init__(self, pairs: Sequence[Pairs], max_gap_s: float) -> None:
        self._pairs, self._max_gap_s = pairs, max_gap_s

    def _both(self, offset_s: float) -> tuple[np.ndarray, np.ndarray]:
        """The (n, 3, 3) truth and the (n, 3, 3) estimates at the stamps at which the truth is known."""
        truths, estimates = [np.zeros((0, 3, 3))], [np.zeros((0, 3, 3))]
        for pair in self._pairs:
            q, known = pair.head.at(pair.stamps_s + offset_s, self._max_gap_s)
            truths.append(rotations_from_quaternions(q[known]))
            estimates.append(pair.R[known])
        return np.concatenate(truths), np.concatenate(estimates)

    @cached_property
    def _least(self) -> int:
        """The smallest number of pairs with a known truth at which an offset has a fit."""
        return max(1, round(_LEAST_SHARE * len(self._both(0.0)[0])))

    def raw_deg(self, offset_s: float) -> float:
        truth, estimate = self._both(offset_s)
        return _residual_deg(truth, estimate) if len(truth) else float('nan')

    def at(self, offset_s: float, side: str) -> _Fit | None:
        truth, estimate = self._both(offset_s)
        if len(truth) < self._least:
            return None
        relative = np.swapaxes(truth, 1, 2) @ estimate if side == 'head' else estimate @ np.swapaxes(truth, 1, 2)
        R = median_rotation(relative)
        return _Fit(offset_s, R, _residual_deg(relative, R[None]), len(truth))

    def curve(self, offsets_s: np.ndarray, side: str) -> np.ndarray:
        rows = [(o, fit.residual_deg) for o in offsets_s if (fit := self.at(float(o), side)) is not None]
        return np.asarray(rows)

    def refine(self, curve: np.ndarray, side: str) -> _Fit:
        """Finds the smallest residual by golden-section search about the curve's lowest point."""
        lowest = float(curve[np.argmin(curve[:, 1]), 0])
        low, high = lowest - _COARSE_S, lowest + _COARSE_S
        ratio = (np.sqrt(5) - 1) / 2
        while high - low > _FINE_S:
            a, b = high - ratio * (high - low), low + ratio * (high - low)
            fit_a, fit_b = self.at(a, side), self.at(b, side)
            if fit_a is not None and (fit_b is None or fit_a.residual_deg < fit_b.residual_deg):
                high = b
            else:
                low = a
        fit = self.at((low + high) / 2, side) or self.at(lowest, side)
        assert fit is not None  # every point of the curve has a fit
        return fit


def _residual_deg(A: np.ndarray, B: np.ndarray) -> float:
    """Mean angle between rotations with a limit for outliers, from the chordal distance |A - B| = 2 sqrt(2) sin(angle / 2)."""
    angles = np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(A - B, axis=(1, 2)) / np.sqrt(8), 0, 1)))
    return float(np.mean(np.minimum(angles, _CAPPED_DEG)))
