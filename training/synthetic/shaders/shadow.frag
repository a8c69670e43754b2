void main() {
    if (texture(picture, texture_point).a < 0.5) discard;
    colour = vec4(0.0);
    depth = vec4(0.0);
}
