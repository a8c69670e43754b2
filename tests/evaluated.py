"""An evaluated recording, for tests of what is written about it."""

import numpy as np

from c2f_head_pose.evaluation.rotations import quaternions_from_rotations
from c2f_head_pose.evaluation.series import FACE, IMAGE, Rows, Series
from c2f_head_pose.evaluation.summary import Scored, aligned_truth, pairs_of
from c2f_head_pose.evaluation.truth.alignment import estimate_alignment
from c2f_head_pose.evaluation.truth.heads import Truth, TruthHead
from c2f_head_pose.geometry import rotation_from_vector, rotation_from_ypr_deg


def scored(name='drive', seconds=20.0, truth=True, seed=0):
    """A made-up recording: a head that turns, noise of 3 degrees, some misses; its truth and alignment."""
    rng = np.random.default_rng(seed)
    t = 100.0 + np.arange(0, seconds, 1 / 30)
    R = rotation_from_ypr_deg(np.stack([40 * np.sin(0.9 * t), 15 * np.sin(1.3 * t), 10 * np.sin(0.5 * t)], axis=-1))
    faces, images = Rows(FACE), Rows(IMAGE)
    q_true, unknown = quaternions_from_rotations(R), np.full(4, np.nan)
    for k, stamp in enumerate(t):
        q = quaternions_from_rotations(R[k] @ rotation_from_vector(np.radians(3) * rng.standard_normal(3)))[0]
        miss = k % 29 == 0
        if miss and truth:
            faces.add(k, stamp, -2, 0, unknown, unknown, q_true[k], np.full(3, np.nan), unknown, -1, np.nan)
        elif not miss:
            faces.add(k, stamp, 0, 0 if truth else -1, q, q, q_true[k] if truth else unknown, np.full(3, 3.0), [0, 0, 0, 1], k % 4, np.nan)
        images.add(k, stamp, not miss, int(truth), int(miss and truth), 0, False, False, 3, 0.3, 2, 0.2, 5.5 + rng.random(), np.nan)
    series = Series(faces.array(), images.array(), ('head',) if truth else (), tracks=('face_1',))
    if not truth:
        return Scored(name, series, None, 2.0), None
    known = Truth((TruthHead('head', t, q_true),), '/truth')
    alignment = estimate_alignment(pairs_of(series, known), 0.1)
    return Scored(name, series, aligned_truth(series, known, alignment, 0.1), 2.0), alignment
