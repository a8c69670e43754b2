uniform sampler2D picture2;
uniform sampler2D lips;
uniform float picture_mix;
uniform float lip_colour;
uniform float blotches;
uniform float freckles;
uniform float pores;
uniform vec3 cloth;
uniform vec3 cloth2;
uniform vec2 cloth_pattern;      // stripes per metre, 1 checks
uniform vec4 collar;
uniform vec3 beard_colour;
uniform vec2 beard;              // how dense, how long (0 stubble, 1 full)

void main() {
    vec3 n = normalize(normal_camera);
    vec4 fine = texture(noise, texture_point * 9.0);
    vec4 coarse = texture(noise, texture_point * 1.7);
    if (collar.w > 0.5 && above_collar < 0.0) {
        float stripe = cloth_pattern.x > 0.0 ? step(0.5, fract(at_rest.y * cloth_pattern.x + cloth_pattern.y * floor(at_rest.x * cloth_pattern.x) * 0.5)) : 0.0;
        vec3 fabric = mix(cloth, cloth2, stripe) * (0.8 + 0.4 * fine.r) * mix(0.5, 1.0, smoothstep(0.0, -0.005, above_collar));
        write(shade(fabric, normalize(n + (coarse.rgb - 0.5) * 0.9), vec3(0.1), 0.85, 0.02), 1.0);
        return;
    }
    vec3 albedo = linear(mix(texture(picture, texture_point).rgb, texture(picture2, texture_point).rgb, picture_mix)) * tint;
    float lip = texture(lips, texture_point).r;
    albedo *= mix(vec3(1.0), vec3(1.0, 0.62, 0.60), clamp(lip * lip_colour, 0.0, 1.0));
    albedo *= 1.0 + (coarse.g - 0.5) * 0.5 * blotches * vec3(0.4, 1.0, 1.0) + (fine.r - 0.5) * 0.3 * pores;
    albedo *= mix(vec3(1.0), vec3(0.62, 0.42, 0.30), freckles * smoothstep(0.60, 0.72, fine.a) * smoothstep(0.4, 0.6, coarse.b));
    if (near_infrared > 0.0) {      // melanin and blood absorb little: skin is even and bright, lips fade
        float flat_skin = mix(grey(albedo), 0.55, 0.72);
        albedo = mix(albedo, vec3(flat_skin * (1.0 + (fine.r - 0.5) * 0.08)), near_infrared);
    }
    float hairs = texture(noise, texture_point * vec2(30.0, 7.0)).b * 0.6 + fine.g * 0.4;
    float covered = clamp(region_value * 1.6 - 0.25 + (hairs - 0.5) * 2.2, 0.0, 1.0) * beard.x * smoothstep(0.02, 0.25, region_value) * (1.0 - lip);
    albedo = mix(albedo, mix(albedo * 0.55 + beard_colour * 0.3, beard_colour * (0.5 + hairs), beard.y), covered);
    n = normalize(n + (fine.rgb - 0.5) * (0.35 * pores + covered * beard.y) + (coarse.rgb - 0.5) * 0.15 * pores);
    float rough = mix(mix(roughness, roughness * 0.85, lip), 0.75, covered);
    write(shade(albedo, n, mix(vec3(0.42, 0.20, 0.12), vec3(0.45), near_infrared), rough, 0.028 * shine * (1.0 + 0.3 * lip)), 1.0);
}
