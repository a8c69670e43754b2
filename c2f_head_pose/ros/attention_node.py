"""Runs the node `attention`: `python -m c2f_head_pose.ros.attention_node`; the node is in `attention/node.py`."""

from .attention.node import main

if __name__ == '__main__':
    raise SystemExit(main())
