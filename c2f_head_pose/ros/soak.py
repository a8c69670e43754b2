"""The old name of `python -m c2f_head_pose.ros.measure.soak`, kept for scripts that use it."""

from .measure.soak.__main__ import main

if __name__ == '__main__':
    raise SystemExit(main())
