"""The old name of `python -m c2f_head_pose.ros.measure.attention_drive`, kept for scripts that use it."""

from .measure.attention_drive import main

if __name__ == '__main__':
    raise SystemExit(main())
