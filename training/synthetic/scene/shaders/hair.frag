uniform float brightness;        // of the picture, linear: what `tint` stands for

void main() {
    vec4 strand = texture(picture, texture_point);
    // Coverage by chance, drawn anew in each sample (Jimenez 2014, interleaved gradient noise): the average over a pixel is soft.
    float chance = fract(52.9829189 * fract(dot(gl_FragCoord.xy, vec2(0.06711056, 0.00583715))));
    if (strand.a < 0.15 + 0.5 * chance) discard;
    float relative = clamp(0.3 + 0.7 * grey(linear(strand.rgb)) / max(brightness, 0.003), 0.2, 2.2);
    vec3 albedo = mix(tint, vec3(0.12 + 0.55 * grey(tint)), near_infrared) * relative;
    vec3 n = normalize(normal_camera);
    if (dot(n, at_camera) > 0.0) n = -n;
    n = normalize(n + (texture(noise, texture_point * 6.0).rgb - 0.5) * 0.22);
    colour = vec4(photograph(shade(albedo, n, vec3(0.25), 0.5, 0.035 * shine)), 1.0);
}
