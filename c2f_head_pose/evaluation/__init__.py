"""Evaluates recordings against true head rotations. Needs no ROS."""
