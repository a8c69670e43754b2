uniform vec3 eye_centre[2];
uniform vec3 gaze[2];
uniform vec3 iris_colour;
uniform float pupil;             // radius, radians
uniform float pupil_glow;        // near infrared: 1 the lamp shines back out of the pupil

const float IRIS = 0.43;         // radius, radians: 11.7 mm across on a 24 mm eye

void main() {
    int side = region_value > 0.5 ? 1 : 0;
    vec3 d = normalize(at_rest - eye_centre[side]), axis = gaze[side];
    float angle = acos(clamp(dot(d, axis), -1.0, 1.0));
    vec3 x = normalize(cross(vec3(0.0, 1.0, 0.0), axis));
    float turn = atan(dot(d, cross(axis, x)), dot(d, x)) / 6.2831853;
    vec2 fibres = texture(noise, vec2(turn * 2.0, angle * 0.15)).rg;
    vec3 white = vec3(0.60, 0.56, 0.53) * mix(vec3(1.0), vec3(0.9, 0.62, 0.55), smoothstep(0.7, 1.3, angle) * 0.8);
    vec3 tone = mix(iris_colour, vec3(0.22 + 0.5 * grey(iris_colour)), near_infrared);
    vec3 iris = tone * (0.5 + fibres.x) * mix(1.25, 0.55, smoothstep(IRIS * 0.45, IRIS, angle));
    vec3 hole = vec3(0.008) + pupil_glow * near_infrared * vec3(1.6);
    iris = mix(hole, iris, smoothstep(pupil, pupil + 0.03, angle));
    vec3 albedo = mix(iris, white, smoothstep(IRIS - 0.035, IRIS + 0.02, angle));
    vec3 n = normalize(normal_camera);
    colour = vec4(photograph(shade(albedo, n, vec3(0.0), angle < IRIS ? 0.10 : 0.16, 0.04)), 1.0);
}
