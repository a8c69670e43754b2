uniform float brightness;        // of the picture, linear: what `tint` stands for

void main() {
    vec4 strand = texture(picture, texture_point);
    // Coverage in quarters, by which of the four samples of a pixel this is.
    vec2 sample_in_pixel = mod(floor(gl_FragCoord.xy), 2.0);
    float threshold = 0.12 + 0.2 * (sample_in_pixel.x + 2.0 * abs(sample_in_pixel.x - sample_in_pixel.y)) + 0.08 * texture(noise, texture_point * 40.0).r;
    if (strand.a < threshold) discard;
    float relative = clamp(0.3 + 0.7 * grey(linear(strand.rgb)) / max(brightness, 0.003), 0.2, 2.2);
    vec3 albedo = mix(tint, vec3(0.12 + 0.55 * grey(tint)), near_infrared) * relative;
    vec3 n = normalize(normal_camera);
    if (dot(n, at_camera) > 0.0) n = -n;
    n = normalize(n + (texture(noise, texture_point * 6.0).rgb - 0.5) * 0.5);
    write(shade(albedo, n, vec3(0.25), 0.5, 0.035 * shine), 1.0);
}
