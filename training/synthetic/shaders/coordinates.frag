// For checks: each pixel's own place on the mesh at rest, and 1 where it moves with the head alone.
uniform float rigid;

void main() {
    colour = vec4(1.0);
    depth = vec4(at_rest, rigid);
}
