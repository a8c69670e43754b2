// For checks: each pixel's own place on the mesh at rest, and 1 where it moves with the head alone.
in float head_share;

void main() {
    colour = vec4(at_rest, head_share > 0.9999 ? 1.0 : 0.0);
}
