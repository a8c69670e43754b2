"""Implements the ROS 2 nodes."""
