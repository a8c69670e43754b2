uniform sampler2D picture2;
uniform sampler2D lips;
uniform float picture_mix;
uniform float lip_colour;
uniform float blotches;
uniform float freckles;
uniform float pores;
uniform vec3 cloth;
uniform vec3 cloth2;
uniform vec2 cloth_pattern;      // stripes over the texture, 1 checks
uniform vec4 collar;
uniform vec3 beard_colour;
uniform int beard_on;            // 0 or 1
uniform vec2 beard;              // how dense, how long (0 stubble, 1 full)

void main() {
    vec3 n = normalize(normal_camera);
    vec4 fine = texture(noise, texture_point * 9.0);
    vec4 coarse = texture(noise, texture_point * 1.7);
    float dressed = collar.w * step(above_collar, 0.0);
    vec3 albedo = linear(mix(texture(picture, texture_point).rgb, texture(picture2, texture_point).rgb, picture_mix)) * tint;
    albedo = mix(vec3(grey(albedo)), albedo, 0.7);      // the pictures are redder than skin in daylight
    float lip = texture(lips, texture_point).r;
    albedo *= mix(vec3(1.0), vec3(1.0, 0.62, 0.60), clamp(lip * lip_colour, 0.0, 1.0));
    albedo *= 1.0 + (coarse.g - 0.5) * 0.5 * blotches * vec3(0.4, 1.0, 1.0) + (fine.r - 0.5) * 0.3 * pores;
    albedo *= mix(vec3(1.0), vec3(0.62, 0.42, 0.30), freckles * smoothstep(0.60, 0.72, fine.a) * smoothstep(0.4, 0.6, coarse.b));
    // Near infrared: melanin and blood absorb little, so skin is even and bright, and lips fade.
    float flat_skin = mix(grey(albedo), 0.55, 0.72) * (1.0 + (fine.r - 0.5) * 0.08);
    albedo = mix(albedo, vec3(flat_skin), near_infrared);
    vec3 bump = (fine.rgb - 0.5) * 0.35 * pores + (coarse.rgb - 0.5) * 0.15 * pores;
    vec3 wrap = mix(vec3(0.42, 0.20, 0.12), vec3(0.45), near_infrared);
    float rough = mix(roughness, roughness * 0.85, lip), f0 = 0.028 * shine * (1.0 + 0.3 * lip);
    for (int i = 0; i < beard_on; i++) {
        float hairs = texture(noise, texture_point * vec2(30.0, 7.0)).b * 0.6 + fine.g * 0.4;
        float covered = clamp(region_value * 1.6 - 0.25 + (hairs - 0.5) * 2.2, 0.0, 1.0) * beard.x * smoothstep(0.02, 0.25, region_value) * (1.0 - lip);
        vec3 strands = mix(beard_colour, vec3(0.1 + 0.55 * grey(beard_colour)), near_infrared);
        albedo = mix(albedo, mix(albedo * 0.55 + strands * 0.3, strands * (0.5 + hairs), beard.y), covered);
        bump += (fine.rgb - 0.5) * covered * beard.y;
        rough = mix(rough, 0.75, covered);
    }
    float stripe = step(0.5, fract(texture_point.y * cloth_pattern.x + cloth_pattern.y * floor(texture_point.x * cloth_pattern.x) * 0.5)) * step(0.5, cloth_pattern.x);
    vec3 fabric = mix(cloth, cloth2, stripe) * (0.8 + 0.4 * fine.r) * mix(0.5, 1.0, smoothstep(0.0, -0.005, above_collar));
    fabric = mix(fabric, vec3(grey(fabric)), near_infrared);
    n = normalize(n + mix(bump, (coarse.rgb - 0.5) * 0.4, dressed));
    colour = vec4(photograph(shade(mix(albedo, fabric, dressed), n, mix(wrap, vec3(0.1), dressed), mix(rough, 0.85, dressed),
                                   mix(f0, 0.02, dressed))), 1.0);
}
