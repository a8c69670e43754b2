"""Reads recordings: rosbag2 (mcap, sqlite3), rosbag1 and folders of pictures. Needs no ROS."""
