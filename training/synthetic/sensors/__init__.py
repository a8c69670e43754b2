"""Sensor models of a colour camera and of depth cameras."""
