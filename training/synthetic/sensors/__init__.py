"""Simulates the sensors of a colour camera and of depth cameras."""
