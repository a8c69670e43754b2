// Moves a point of a person from mesh axes at rest to the camera's optical frame (x right, y down, z forward, metres).
in vec3 position;      // mesh axes, at rest
in vec3 normal;
in vec2 uv;
in float occlusion;    // share of the sky that is not hidden by the head itself
in float region;       // skin: beard; eyes: 0 left, 1 right
in vec4 neck;          // weights of neck01..03 and head; the rest is the torso's

uniform mat4x3 bone[5];
uniform mat4 projection;
uniform vec3 sky[9];         // ambient light, spherical harmonics in the camera frame
uniform vec4 collar;         // height, slope to the front, slope to the sides, 1 where clothes are worn; x is relative to collar_origin
uniform vec3 collar_origin;
uniform float beard_depth;   // metres the beard stands off the skin

out vec3 at_camera;
out vec3 at_rest;
out vec3 normal_camera;
out vec3 ambient;
out vec2 texture_point;
out float open_sky;
out float region_value;
out float above_collar;
out float head_share;

vec3 sky_light(vec3 n) {
    return max(vec3(0.0), sky[0] + sky[1] * n.y + sky[2] * n.z + sky[3] * n.x + sky[4] * n.x * n.y + sky[5] * n.y * n.z
               + sky[6] * (3.0 * n.z * n.z - 1.0) + sky[7] * n.x * n.z + sky[8] * (n.x * n.x - n.y * n.y));
}

void main() {
    mat4x3 m = bone[0] * (1.0 - dot(neck, vec4(1.0))) + bone[1] * neck.x + bone[2] * neck.y + bone[3] * neck.z + bone[4] * neck.w;
    vec3 r = position - collar_origin;
    above_collar = max(r.y - collar.x + collar.y * r.z - collar.z * abs(r.x), r.y + 0.45 * r.z - 0.04);
    float stands_off = collar.w * clamp(-above_collar / 0.004, 0.0, 1.0) * 0.006 + region * beard_depth * (1.0 - collar.w * step(above_collar, 0.0));
    at_rest = position;
    at_camera = m * vec4(position + normal * stands_off, 1.0);
    normal_camera = normalize(mat3(m) * normal);
    ambient = sky_light(normal_camera);
    texture_point = vec2(uv.x, 1.0 - uv.y);
    open_sky = occlusion;
    region_value = region;
    head_share = neck.w;
    gl_Position = projection * vec4(at_camera, 1.0);
}
