"""CSV files of true head rotations, in any encoding."""

from __future__ import annotations

import numpy as np

from c2f_head_pose.evaluation.truth.csv_file import read_csv
from c2f_head_pose.evaluation.truth.stamps import describe_gap
from c2f_head_pose.recordings.storage import BagError

from .scratch import scratch_file

MODULES = ('c2f_head_pose.evaluation.truth.csv_file', 'c2f_head_pose.evaluation.truth.stamps', 'c2f_head_pose.evaluation.truth.heads')
_LINES = 'stamp_s,id,yaw_deg,pitch_deg,roll_deg,x_m,y_m,z_m\n1.5,ann,10,-5,2,0,0,0.6\n1.6,ann,,,,0,0,\n'


def seeds() -> list[bytes]:
    """Each form of rotation and time, separators, and encodings."""
    matrix = ','.join(f'r{i}{j}' for i in range(3) for j in range(3))
    return [
        _LINES.encode(),
        _LINES.encode('utf-8-sig'),
        _LINES.encode('utf-16'),
        _LINES.replace(',', ';').replace('.', ',').encode(),
        b'stamp_ns, qx, qy, qz, qw\n1500000000, 0, 0, 0, 1\n1.6e9, nan, 0, 0, 1\n',
        f'stamp_ms,{matrix}\n1500,1,0,0,0,1,0,0,0,1\n'.encode(),
        b'sep=;\n# from a tool\nstamp_us\tyaw_rad\tpitch_rad\troll_rad\n1500000\t0.1\t0\t-0.1\n',
    ]


def check(data: bytes) -> None:
    """Reads a file; what is accepted has increasing stamps, and rotations that are rotations."""
    try:
        truth = read_csv(scratch_file('truth.csv', data))
    except BagError:
        return
    for head in (*truth.heads, *truth.as_radians):
        assert np.isfinite(head.stamps_s).all() and (np.diff(head.stamps_s) > 0).all()
        assert np.allclose(np.linalg.norm(head.quaternions, axis=1), 1, atol=1e-3)
    describe_gap(truth, np.array([1.5, 1.7e9]), 0.1)
