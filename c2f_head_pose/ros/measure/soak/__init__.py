"""Hours of the node as its own process, with everything that happens to it in a robot: `python -m c2f_head_pose.ros.measure.soak`."""
