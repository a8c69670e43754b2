"""The old name of `python -m c2f_head_pose.evaluation.attention.recorded`, kept for scripts that use it."""

from .attention.recorded import main

if __name__ == '__main__':
    raise SystemExit(main())
