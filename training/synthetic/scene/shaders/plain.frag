uniform vec4 weave;      // depth of the relief, its threads per metre, 1 knitted, share of the picture in the colour

void main() {
    vec4 p = texture(picture, texture_point);
    if (p.a < 0.4) discard;
    vec3 albedo = tint * mix(vec3(1.0), linear(p.rgb), weave.w);
    albedo = mix(albedo, vec3(grey(albedo)), near_infrared);
    vec3 n = normalize(normal_camera);
    if (dot(n, at_camera) > 0.0) n = -n;
    vec3 rough_cloth = texture(noise, at_rest.xy * 7.0 + at_rest.z * 5.0).rgb - 0.5;
    float thread = weave.z * sin(atan(at_rest.x, at_rest.z + 0.02) * weave.y);
    n = normalize(n + weave.x * (rough_cloth + vec3(thread, 0.0, 0.0) * 0.6));
    albedo *= 1.0 + weave.x * (rough_cloth.x * 0.6 + thread * 0.25);
    colour = vec4(photograph(shade(albedo, n, vec3(0.08), roughness, 0.04 * shine)), 1.0);
}
