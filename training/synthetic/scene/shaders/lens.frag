uniform float opacity;      // of the tinted glass

void main() {               // drawn last, blended over what is behind; no depth of its own
    vec3 n = normalize(normal_camera);
    if (dot(n, at_camera) > 0.0) n = -n;
    vec3 view = normalize(-at_camera);
    float fresnel = 0.04 + 0.5 * fifth(1.0 - max(dot(n, view), 0.0));
    vec3 c = tint * (ambient + 0.1) * opacity + ambient * fresnel * shine;
    for (int i = 0; i < lights; i++) c += light_colour[i] * glint(n, view, light_direction[i], roughness, 0.05) * shine;
    float solid = clamp(max(opacity, grey(c) * exposure * 0.5), 0.0, 1.0);
    colour = vec4(min(photograph(c), vec3(1.0)) * max(solid, 0.02), solid);
}
