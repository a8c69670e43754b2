"""Jitter at rest and the lag of smoothing, which need images that follow each other."""

import numpy as np
import pytest

from c2f_head_pose.evaluation.rotations import quaternions_from_rotations
from c2f_head_pose.evaluation.sequences import rest_jitter, smoothing_lag_s
from c2f_head_pose.evaluation.series import FACE, IMAGE, Rows, Series
from c2f_head_pose.geometry import rotation_from_vector, rotation_from_ypr_deg

NOISE_DEG, LAG_S = 0.2, 0.1


def made(rate_hz, late=0.0, swing_deg=0.0):
    """Thirty seconds of a head that swings at 0.3 Hz, with noise about each axis, whose published pose is behind by 0.1 s.

    Args:
        rate_hz: images a second.
        late: images come early or late by up to half of this share of a period.
        swing_deg: the swing; 0 at rest.
    """
    rng = np.random.default_rng(0)
    times_s = (np.arange(30 * rate_hz) + late * rng.uniform(-0.5, 0.5, 30 * rate_hz)) / rate_hz
    faces, images, unknown = Rows(FACE), Rows(IMAGE), np.full(4, np.nan)
    for k, t in enumerate(times_s):
        noise = rotation_from_vector(np.radians(NOISE_DEG) * rng.standard_normal(3))
        yaw = [swing_deg * np.sin(2 * np.pi * 0.3 * s) for s in (t - LAG_S, t)]
        q, q_unsmoothed = (quaternions_from_rotations(rotation_from_ypr_deg(np.array([y, 0, 0])) @ noise)[0] for y in yaw)
        faces.add(k, 1.7e9 + t, 0, -1, q, q_unsmoothed, unknown, np.full(3, 3.0), [0, 0, 0, 1], 0, np.nan)
        images.add(k, 1.7e9 + t, 1, 0, 0, 0, False, False, *[np.nan] * 6)
    return Series(faces.array(), images.array(), tracks=('face_1',))


@pytest.mark.parametrize('late', [0.0, 0.2])
@pytest.mark.parametrize('rate_hz', [4, 5, 10, 30])
def test_jitter_and_lag_are_known_from_four_images_a_second_on(rate_hz, late):
    """Noise of 0.2 degrees about each of three axes is 0.2 sqrt 3 = 0.346. A period of 0.2 s is 48 ns more between stamps of today."""
    jitter_deg, resting = rest_jitter(made(rate_hz, late), 'q', truth=False)
    assert jitter_deg == pytest.approx(NOISE_DEG * np.sqrt(3), rel=0.1) and resting == 30 * rate_hz
    assert smoothing_lag_s(made(rate_hz, late, swing_deg=30)) == pytest.approx(LAG_S, abs=0.01)


def test_rarer_images_are_no_sequence():
    series = made(3)
    assert series.rare and not made(4).rare
    assert rest_jitter(series, 'q', truth=False)[1] == 0 and np.isnan(smoothing_lag_s(made(3, swing_deg=30)))
