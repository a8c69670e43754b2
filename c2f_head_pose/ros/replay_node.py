"""Runs the node `replay`: `python -m c2f_head_pose.ros.replay_node`; the node is in `replay/node.py`."""

from .replay.node import main

if __name__ == '__main__':
    raise SystemExit(main())
