"""Jitter and lag of positions, against courses whose values are known by hand."""

import numpy as np
import pytest

from c2f_head_pose.evaluation.truth.heads import TruthHead
from training.studies.position_jitter import jitter_mm, lag_ms

AT_S = 10 + np.arange(300) / 30


def course(at_s: np.ndarray) -> np.ndarray:
    return np.stack([0.1 * np.sin(2.1 * at_s), 0.05 * np.cos(3.3 * at_s), 0.7 + 0.08 * np.sin(1.4 * at_s)], axis=1)


def truth() -> TruthHead:
    at_s = np.arange(9, 21.5, 0.001)
    return TruthHead('head', at_s, np.tile([0.0, 0, 0, 1], (len(at_s), 1)), course(at_s))


def test_a_constant_error_is_no_jitter_and_independent_errors_are_their_own_deviation():
    """Deviations of 2, 2 and 8 mm in x, y, z: sqrt(4 + 4 + 64) = 8.5 mm."""
    error = np.random.default_rng(1).normal(0, [0.002, 0.002, 0.008], (300, 3))
    assert jitter_mm(course(AT_S) + [0.1, 0, -0.2], course(AT_S)) == pytest.approx(0, abs=1e-9)
    assert jitter_mm(course(AT_S) + error, course(AT_S)) == pytest.approx(8.5, abs=0.6)


@pytest.mark.parametrize('delay_s', [0.0, 0.06, 0.15])
def test_the_lag_of_a_delayed_course_is_its_delay_whatever_its_scale(delay_s):
    measured = 1.1 * course(AT_S - delay_s) + [0.02, 0, 0.1] + np.random.default_rng(2).normal(0, 0.003, (300, 3))
    assert lag_ms(measured, AT_S, truth()) == pytest.approx(1e3 * delay_s, abs=4)
