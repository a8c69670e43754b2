"""Draws a portrait's surface in another pose, and as it stands, with OpenGL (EGL, no window)."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import moderngl
import numpy as np

_VERTEX = """#version 330
in vec3 place; in vec3 normal; in float follow; in vec2 uv; in float trust; in vec2 mirrored_uv; in vec2 mirrored; in vec4 fill;
uniform mat4 projection; uniform vec3 pivot; uniform vec3 head_turn; uniform vec3 torso_turn; uniform vec3 shift;
out vec2 a_uv; out float a_trust; out vec2 b_uv; out vec2 b_trust; out vec4 paint; out vec3 outward; out vec3 own_place;
vec3 turned(vec3 v, vec3 r) {
    float angle = length(r); if (angle < 1e-6) return v;
    vec3 axis = r / angle;
    return v * cos(angle) + cross(axis, v) * sin(angle) + axis * dot(axis, v) * (1.0 - cos(angle));
}
void main() {
    vec3 turn = mix(torso_turn, head_turn, follow);
    vec3 at = turned(place - pivot, turn) + pivot + shift;
    outward = turned(normal, turn);
    a_uv = uv; a_trust = trust; b_uv = mirrored_uv; b_trust = mirrored; paint = fill; own_place = place;
    gl_Position = projection * vec4(at, 1.0);
}"""

_COLOUR = """#version 330
in vec2 a_uv; in float a_trust; in vec2 b_uv; in vec2 b_trust; in vec4 paint; in vec3 outward; in vec3 own_place;
uniform sampler2D portrait; uniform vec3 light; uniform vec2 shading;
out vec4 colour;
float random(vec2 cell) { return fract(sin(dot(cell, vec2(12.9898, 78.233))) * 43758.5453); }
float noise(vec2 at) {
    vec2 cell = floor(at), q = fract(at); q = q * q * (3.0 - 2.0 * q);
    return mix(mix(random(cell), random(cell + vec2(1, 0)), q.x), mix(random(cell + vec2(0, 1)), random(cell + vec2(1, 1)), q.x), q.y);
}
void main() {
    vec4 own = texture(portrait, a_uv);
    if (paint.a < 0.5 && own.a < 0.5) discard;
    // strands of hair run down the skull
    float around = atan(own_place.x, own_place.z) * 60.0;
    float strands = noise(vec2(around, own_place.y * 60.0)) + noise(vec2(around * 2.3, own_place.y * 90.0)) - 1.0;
    vec3 filled = paint.rgb * (1.0 + (paint.a - 1.0) * strands);
    vec3 seen = mix(mix(filled, texture(portrait, b_uv).rgb * b_trust.y, b_trust.x), own.rgb, a_trust);
    float lit = shading.x + shading.y * max(dot(normalize(outward), light), 0.0);
    colour = vec4(seen * lit, 1.0);
}"""

_LAYOUT = '3f 3f 1f 2f 1f 2f 2f 4f'
_NAMES = ('place', 'normal', 'follow', 'uv', 'trust', 'mirrored_uv', 'mirrored', 'fill')
_SUPERSAMPLING = 1.5
_REACH_M = 1.0  # of depth about the head that is drawn


@dataclass(frozen=True, eq=False)
class Light:
    """Relighting by the surface's normals: colour times (ambient + directed * cosine).

    Attributes:
        direction: (3,) unit vector to the lamp, camera frame.
        ambient: factor.
        directed: factor.
    """

    direction: np.ndarray
    ambient: float = 1.0
    directed: float = 0.0


UNLIT = Light(np.array([0.0, 0.0, -1.0]))


class Turner:
    """One OpenGL context; use one per process."""

    def __init__(self) -> None:
        try:
            self._gl = moderngl.create_standalone_context(backend='egl', require=330)
        except Exception as error:  # moderngl raises bare Exceptions of several kinds
            raise RuntimeError(
                f'no headless OpenGL 3.3 ({error}): install libegl1 and libgl1-mesa-dri, or a GPU driver with EGL'
            ) from error
        self._program = self._gl.program(vertex_shader=_VERTEX, fragment_shader=_COLOUR)
        self._gl.enable(moderngl.DEPTH_TEST)
        self._gl.front_face = 'cw'  # image rows run downwards
        self._frames: dict[int, moderngl.Framebuffer] = {}
        self._texture: moderngl.Texture | None = None

    def load(self, image: np.ndarray, person: np.ndarray) -> None:
        """The portrait's colours, (H, W, 3) uint8 BGR continued beyond the person, and the person's outline, (H, W) 0..1."""
        if self._texture is not None:
            self._texture.release()
        rgba = np.dstack([image[..., ::-1], np.rint(255 * person).astype(np.uint8)])
        self._texture = self._gl.texture(image.shape[1::-1], 4, np.ascontiguousarray(rgba).tobytes())
        self._texture.build_mipmaps()
        self._texture.filter = (moderngl.LINEAR_MIPMAP_LINEAR, moderngl.LINEAR)
        self._texture.repeat_x = self._texture.repeat_y = False

    def draw(
        self,
        surface: np.ndarray,
        closed: np.ndarray,
        open_: np.ndarray,
        K: np.ndarray,
        size: int,
        pivot: np.ndarray,
        head_turn: np.ndarray,
        torso_turn: np.ndarray,
        shift: np.ndarray,
        light: Light = UNLIT,
    ) -> tuple[np.ndarray, np.ndarray]:
        """A square picture.

        Args:
            surface: (N, 18) float32 in the order of the vertex program's inputs.
            closed: (M, 3) int32 triangles whose backs never show: the head.
            open_: (M, 3) int32 triangles with two sides: the sheet.
            K: (3, 3) of the picture's pixels; the principal point counts from the first pixel's centre.
            size: side, pixels.
            pivot: (3,) metres, where head and torso turn.
            head_turn: (3,) rotation vector, camera frame.
            torso_turn: (3,) likewise.
            shift: (3,) metres added after the turn: places the head before the camera.
            light: the relighting's light.

        Returns:
            (size, size, 3) uint8 BGR premultiplied by its coverage, and (size, size) uint8 coverage.
        """
        big = round(size * _SUPERSAMPLING)
        if big not in self._frames:
            self._frames[big] = self._gl.framebuffer([self._gl.renderbuffer((big, big), 4)], self._gl.depth_renderbuffer((big, big)))
        frame = self._frames[big]
        frame.use()
        frame.clear(0.0, 0.0, 0.0, 0.0, depth=1.0)
        program = self._program
        program['projection'].write(_projection(K, size, float(shift[2])).T.astype('f4').tobytes())
        vectors = {'pivot': pivot, 'head_turn': head_turn, 'torso_turn': torso_turn, 'shift': shift, 'light': light.direction}
        for name, value in vectors.items():
            program[name].value = tuple(float(v) for v in value)
        program['shading'].value = (light.ambient, light.directed)
        assert self._texture is not None, 'load a portrait first'
        self._texture.use()
        points = self._gl.buffer(np.ascontiguousarray(surface, np.float32))
        for triangles, culled in ((closed, True), (open_, False)):
            if not len(triangles):
                continue
            (self._gl.enable if culled else self._gl.disable)(moderngl.CULL_FACE)
            order = self._gl.buffer(np.ascontiguousarray(triangles, np.int32))
            array = self._gl.vertex_array(program, [(points, _LAYOUT, *_NAMES)], order)
            array.render(moderngl.TRIANGLES)
            array.release()
            order.release()
        points.release()
        rgba = np.frombuffer(frame.read(components=4), np.uint8).reshape(big, big, 4)
        small = cv2.resize(rgba, (size, size), interpolation=cv2.INTER_AREA)
        return cv2.cvtColor(small, cv2.COLOR_RGBA2BGR), np.ascontiguousarray(small[..., 3])


def _projection(K: np.ndarray, size: int, distance: float) -> np.ndarray:
    """(4, 4) camera frame -> clip space, with image row 0 as the framebuffer's first row."""
    (fx, skew, cx), (_, fy, cy), _ = K
    n, f = max(distance - _REACH_M, 0.05), distance + _REACH_M
    return np.array(
        [
            [2 * fx / size, 2 * skew / size, 2 * (cx + 0.5) / size - 1, 0],
            [0, 2 * fy / size, 2 * (cy + 0.5) / size - 1, 0],
            [0, 0, (f + n) / (f - n), -2 * f * n / (f - n)],
            [0, 0, 1, 0],
        ]
    )
