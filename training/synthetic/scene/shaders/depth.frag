// Shapes only: for the shadow map, and for depth in metres.
void main() {
    if (texture(picture, texture_point).a < 0.45) discard;
    colour = vec4(at_camera.z, 0.0, 0.0, 1.0);
}
