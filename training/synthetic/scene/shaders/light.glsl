// What every surface shares: lights, shadow, the camera's response. Included into each .frag after the version line.
in vec3 at_camera;
in vec3 at_rest;
in vec3 normal_camera;
uniform mat4 light_view;                   // camera frame -> the key light's map, 0..1
in vec3 ambient;
in vec2 texture_point;
in float open_sky;
in float region_value;
in float above_collar;

out vec4 colour;      // premultiplied

uniform sampler2D picture;
uniform sampler2D noise;                   // four channels of tiling noise
uniform sampler2DShadow shadow_map;
uniform vec3 light_direction[3];           // towards the light, camera frame; the first casts the shadow
uniform vec3 light_colour[3];
uniform int lights;                        // how many are on
uniform int shadow_taps;                   // 0 or 4
uniform int gobo_on;                       // 0 or 1
uniform float shadow_strength;
uniform vec4 gobo;                         // pattern in the key light: strength, size, stripes (1) or leaves (0), turn
uniform float falloff;                     // metres at which a lamp near the camera has its stated colour; 0 for far lights
uniform float exposure;
uniform float near_infrared;               // 0 visible light, 1 near infrared
uniform vec3 tint;
uniform float roughness;
uniform float shine;

vec3 linear(vec3 c) { return c * (c * (c * 0.305306011 + 0.682171111) + 0.012522878); }   // sRGB, C. Allen's cubic

float grey(vec3 c) { return dot(c, vec3(0.2126, 0.7152, 0.0722)); }

// llvmpipe runs both sides of an if, but leaves a loop that has nothing to do: hence loops of 0 or 1 turns.
float key_light() {
    float lit = 1.0;
    vec3 in_light = (light_view * vec4(at_camera, 1.0)).xyz;
    const vec2 taps[4] = vec2[](vec2(0.0014, 0.0005), vec2(-0.0005, 0.0014), vec2(-0.0014, -0.0005), vec2(0.0005, -0.0014));
    vec3 border = min(in_light, 1.0 - in_light);
    float mapped = step(0.0, min(border.x, min(border.y, border.z)));
    for (int i = 0; i < shadow_taps; i++)
        lit -= 0.25 * shadow_strength * mapped * (1.0 - texture(shadow_map, vec3(in_light.xy + taps[i], in_light.z - 0.005)));
    for (int i = 0; i < gobo_on; i++) {
        vec2 p = mat2(cos(gobo.w), sin(gobo.w), -sin(gobo.w), cos(gobo.w)) * in_light.xy * gobo.y;
        float leaves = smoothstep(0.44, 0.56, texture(noise, p * 0.05).r);
        float stripes = smoothstep(0.35, 0.45, abs(fract(p.x) - 0.5) * 2.0);
        lit *= 1.0 - gobo.x * (1.0 - mix(leaves, stripes, gobo.z));
    }
    return lit;
}

float fifth(float x) { float x2 = x * x; return x2 * x2 * x; }

float glint(vec3 n, vec3 view, vec3 light, float rough, float f0) {      // GGX with Schlick's Fresnel
    vec3 h = normalize(view + light);
    float a = rough * rough, a2 = a * a, nh = max(dot(n, h), 0.0), nv = max(dot(n, view), 1e-3), nl = max(dot(n, light), 0.0);
    float d = nh * nh * (a2 - 1.0) + 1.0, k = a * 0.5;
    float f = f0 + (1.0 - f0) * fifth(1.0 - max(dot(light, h), 0.0));
    return a2 * f * nl / (d * d * ((nv * (1.0 - k) + k) * (nl * (1.0 - k) + k) * 4.0 + 1e-4));
}

vec3 shade(vec3 albedo, vec3 n, vec3 wrap, float rough, float f0) {
    vec3 view = normalize(-at_camera);
    float key = key_light();
    float near_lamp = falloff > 0.0 ? falloff * falloff / dot(at_camera, at_camera) : 1.0;
    float fresnel = fifth(1.0 - max(dot(n, view), 0.0));
    vec3 c = ambient * open_sky * (albedo + (f0 + (1.0 - f0) * fresnel * (1.0 - rough)) * 0.6);
    for (int i = 0; i < lights; i++) {
        float lit = i == 0 ? key : 1.0;
        vec3 diffuse = clamp((dot(n, light_direction[i]) + wrap) / ((1.0 + wrap) * (1.0 + wrap)), 0.0, 1.0);
        diffuse *= mix(vec3(1.0), vec3(lit), 1.0 - wrap * 0.35) * mix(1.0, open_sky, 0.6);
        c += light_colour[i] * near_lamp * (albedo * diffuse + glint(n, view, light_direction[i], rough, f0) * lit * open_sky);
    }
    return c;
}

vec3 photograph(vec3 c) {
    c *= exposure;
    c = c / (1.0 + max(vec3(0.0), c - 0.7) * 0.9);
    return sqrt(clamp(c, 0.0, 1.0));       // a camera's gamma, near enough, and far cheaper than 1 / 2.2
}
