"""The old name of `python -m c2f_head_pose.ros.measure.latency`, kept for scripts that use it."""

from .measure.latency import main

if __name__ == '__main__':
    raise SystemExit(main())
