"""Scenes: light, background, occluders, camera, and the OpenGL renderer."""
