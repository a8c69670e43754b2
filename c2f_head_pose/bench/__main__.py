"""Runs `python -m c2f_head_pose.bench`."""

from .command import main

if __name__ == '__main__':
    raise SystemExit(main())
