"""Makes scenes of light, background, occluders and camera, and renders them with OpenGL."""
