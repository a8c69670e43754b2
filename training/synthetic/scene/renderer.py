"""Draws people with OpenGL, without a window: EGL on a GPU, llvmpipe on a CPU.

Colour is drawn larger and averaged down (on llvmpipe cheaper than multisampling, whose cost is per small triangle), and
premultiplied by coverage. Depth is a pass of its own, one sample at the pixel's centre, because the mean over an edge lies on no
surface; it is z along the optical axis.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import cv2
import moderngl
import numpy as np

from .drawables import ATTRIBUTES, Layers, Lighting, Part, View
from .textures import Textures, noise_texture

_SURFACES = ('skin', 'eye', 'hair', 'plain', 'lens')
_SHADOW_SIZE = 400
_ORDER = {'plain': 0, 'eye': 1, 'hair': 2, 'skin': 3, 'lens': 4}  # what hides much first, what needs all behind it last
_NEAR_M, _FAR_M = 0.05, 20.0
_SHADERS = Path(__file__).parent / 'shaders'


class Renderer:
    """One OpenGL context; use one per process.

    Args:
        assets: the asset cache, for textures.
        supersampling: factor by which it is drawn larger than the picture.

    Raises:
        RuntimeError: where no OpenGL 3.3 can be had without a window, with the remedy.
    """

    def __init__(self, assets: Path, supersampling: float = 1.5):
        try:
            self._gl = moderngl.create_standalone_context(backend='egl', require=330)
        except Exception as error:  # moderngl raises bare Exceptions of several kinds
            raise RuntimeError(
                f'no headless OpenGL 3.3 ({error}): install libegl1 and libgl1-mesa-dri, or a GPU driver with EGL'
            ) from error
        self.device = str(self._gl.info['GL_RENDERER'])
        self._supersampling = supersampling
        common = '#version 330\n'
        vertex = common + (_SHADERS / 'person.vert').read_text()
        light = (_SHADERS / 'light.glsl').read_text()
        self._programs = {}
        for name in (*_SURFACES, 'depth', 'coordinates'):
            fragment = common + light + (_SHADERS / f'{name}.frag').read_text()
            self._programs[name] = self._gl.program(vertex_shader=vertex, fragment_shader=fragment)
        self._uniforms = {program.glo: frozenset(program) for program in self._programs.values()}
        self._buffers: dict[str, tuple[moderngl.Buffer, dict[str, moderngl.VertexArray]]] = {}
        self._textures = Textures(self._gl, assets)
        self._frames: dict[tuple[int, int, str, int], moderngl.Framebuffer] = {}
        self._shadow = self._gl.depth_texture((_SHADOW_SIZE, _SHADOW_SIZE))
        self._shadow.compare_func = '<='
        self._shadow.filter = (moderngl.LINEAR, moderngl.LINEAR)
        self._shadow.repeat_x = self._shadow.repeat_y = False
        self._shadow_frame = self._gl.framebuffer(depth_attachment=self._shadow)
        self._noise = noise_texture(self._gl)
        self._white = self._gl.texture((1, 1), 4, b'\xff' * 4)
        self._gl.enable(moderngl.DEPTH_TEST)
        self._gl.front_face = 'cw'  # image rows run downwards

    def upload(self, parts: Iterable[Part]) -> None:
        """Copies the parts' points to the device; needed again only when their geometry changes."""
        for part in parts:
            if part.key not in self._buffers:
                points = self._gl.buffer(part.points, dynamic=True)
                triangles = self._gl.buffer(np.ascontiguousarray(part.triangles, np.int32))
                layout = (points, ' '.join(f'{n}f' for _, n in ATTRIBUTES), *(name for name, _ in ATTRIBUTES))
                arrays = {
                    name: self._gl.vertex_array(self._programs[name], [layout], triangles, skip_errors=True)
                    for name in (part.surface, 'depth', 'coordinates')
                }
                self._buffers[part.key] = (points, arrays)
            else:
                self._buffers[part.key][0].write(part.points)

    def render(self, parts: Sequence[Part], bones: np.ndarray, view: View, lighting: Lighting, focus_m: np.ndarray) -> Layers:
        """Draws uploaded parts.

        Args:
            parts: the parts to draw.
            bones: (5, 3, 4) mesh axes at rest -> camera frame, of torso, neck01..03, head.
            view: the camera.
            lighting: the lights.
            focus_m: (3,) middle of what the shadow map covers, camera frame.
        """
        light_view = _light_view(lighting.directions[0], focus_m)
        if lighting.shadow_strength > 0:
            self._draw_shadow(parts, bones, light_view)
        projection = _projection(view)
        width, height = round(view.width * self._supersampling), round(view.height * self._supersampling)
        frame = self._frame(width, height, 'f1', 4)
        frame.use()
        frame.clear(0.0, 0.0, 0.0, 0.0, depth=1.0)
        scene = self._scene_uniforms(lighting)
        ready = set()
        for part in sorted(parts, key=lambda p: _ORDER[p.surface]):
            program = self._programs[part.surface]
            if part.surface not in ready:
                self._begin(program, scene, projection, light_view)
                ready.add(part.surface)
            _set_bones(program, bones if part.pose is None else np.broadcast_to(part.pose, (5, 3, 4)))
            self._set_look(program, part)
            self._draw(frame, part)
        rgba = np.frombuffer(frame.read(components=4), np.uint8).reshape(height, width, 4)
        rgba = cv2.resize(rgba, (view.width, view.height), interpolation=cv2.INTER_AREA)
        depth_m = self._draw_depth(parts, bones, view, projection)
        depth_m[rgba[..., 3] == 0] = 0  # a hair's edge that no colour sample met
        return Layers(cv2.cvtColor(rgba, cv2.COLOR_RGBA2BGR), np.ascontiguousarray(rgba[..., 3]), depth_m)

    def _draw(self, frame: moderngl.Framebuffer, part: Part) -> None:
        vertices = self._buffers[part.key][1][part.surface]
        if part.surface == 'lens':
            self._gl.enable(moderngl.BLEND)
            self._gl.blend_func = (moderngl.ONE, moderngl.ONE_MINUS_SRC_ALPHA)
            frame.depth_mask = False
            vertices.render(moderngl.TRIANGLES)
            frame.depth_mask = True
            self._gl.disable(moderngl.BLEND)
        else:
            self._cull(part)
            vertices.render(moderngl.TRIANGLES)

    def _set(self, program: moderngl.Program, name: str, value: Any) -> None:
        if name in self._uniforms[program.glo]:  # asking the program itself walks through all its names
            program[name].value = value

    def _cull(self, part: Part) -> None:
        if part.closed:
            self._gl.enable(moderngl.CULL_FACE)
        else:
            self._gl.disable(moderngl.CULL_FACE)

    def _draw_depth(self, parts: Sequence[Part], bones: np.ndarray, view: View, projection: np.ndarray) -> np.ndarray:
        frame = self._frame(view.width, view.height, 'f4', 1)
        frame.use()
        frame.clear(0.0, 0.0, 0.0, 0.0, depth=1.0)
        self._draw_plain(parts, bones, projection)
        return np.frombuffer(frame.read(components=1, dtype='f4'), np.float32).reshape(view.height, view.width).copy()

    def render_coordinates(self, parts: Sequence[Part], bones: np.ndarray, view: View) -> np.ndarray:
        """Renders each pixel's place on the mesh at rest.

        (H, W, 4) float32: x, y, z sampled at the pixel's centre, and 1 where the head alone moves it. For checks of labels
        against pixels; parts with a pose of their own are left out.
        """
        frame = self._frame(view.width, view.height, 'f4', 4)
        frame.use()
        frame.clear(0.0, 0.0, 0.0, 0.0, depth=1.0)
        program = self._programs['coordinates']
        program['projection'].write(_projection(view).T.astype('f4').tobytes())
        _set_bones(program, bones)
        for part in parts:
            if part.pose is None and part.surface != 'lens':
                self._cull(part)
                self._set_look(program, part)
                self._buffers[part.key][1]['coordinates'].render(moderngl.TRIANGLES)
        return np.frombuffer(frame.read(components=4, dtype='f4'), np.float32).reshape(view.height, view.width, 4).copy()

    def _draw_shadow(self, parts: Sequence[Part], bones: np.ndarray, light_view: np.ndarray) -> None:
        self._shadow_frame.use()
        self._shadow_frame.clear(depth=1.0)
        clip = np.array([[2.0, 0, 0, -1], [0, 2, 0, -1], [0, 0, 2, -1], [0, 0, 0, 1]]) @ light_view  # as an image: rows downwards
        self._draw_plain([part for part in parts if part.surface != 'eye'], bones, clip)

    def _draw_plain(self, parts: Sequence[Part], bones: np.ndarray, projection: np.ndarray) -> None:
        """Draws shapes without light: for shadows and depth. Lenses do not count."""
        program = self._programs['depth']
        program['projection'].write(projection.T.astype('f4').tobytes())
        for part in parts:
            if part.surface == 'lens' or part.thin:
                continue
            self._cull(part)
            _set_bones(program, bones if part.pose is None else np.broadcast_to(part.pose, (5, 3, 4)))
            self._set_look(program, part)
            self._buffers[part.key][1]['depth'].render(moderngl.TRIANGLES)

    def _begin(self, program: moderngl.Program, scene: dict[str, Any], projection: np.ndarray, light_view: np.ndarray) -> None:
        program['projection'].write(projection.T.astype('f4').tobytes())
        if 'light_view' in self._uniforms[program.glo]:
            program['light_view'].write(light_view.T.astype('f4').tobytes())
        self._noise.use(2)
        self._shadow.use(3)
        self._set(program, 'noise', 2)
        self._set(program, 'shadow_map', 3)
        for name, value in scene.items():
            self._set(program, name, value)

    def _set_look(self, program: moderngl.Program, part: Part) -> None:
        for unit, name in ((0, 'picture'), (1, 'picture2'), (4, 'lips')):
            if name in self._uniforms[program.glo]:
                texture, brightness = self._textures.read(part.textures[name]) if name in part.textures else (self._white, 1.0)
                texture.use(unit)
                self._set(program, name, unit)
                if name == 'picture':
                    self._set(program, 'brightness', brightness)
        self._set(program, 'beard_on', int(part.uniforms.get('beard', (0, 0))[0] > 0))
        looks = {
            'collar': (0.0, 0.0, 0.0, 0.0),
            'beard_depth': 0.0,
            'tint': (1.0, 1.0, 1.0),
            'roughness': 0.5,
            'shine': 1.0,
            **part.uniforms,
        }
        for name, value in looks.items():
            self._set(program, name, value)

    @staticmethod
    def _scene_uniforms(lighting: Lighting) -> dict[str, Any]:
        rows = {
            name: [tuple(float(v) for v in row) for row in rows]
            for name, rows in (('light_direction', lighting.directions), ('light_colour', lighting.colours), ('sky', lighting.sky))
        }
        lights = int(np.flatnonzero(lighting.colours.any(1)).max(initial=-1)) + 1
        return {
            **rows,
            'lights': lights,
            'shadow_taps': 4 if lighting.shadow_strength > 0 else 0,
            'gobo_on': int(lighting.gobo[0] > 0),
            'shadow_strength': lighting.shadow_strength,
            'gobo': lighting.gobo,
            'falloff': lighting.falloff_m,
            'exposure': lighting.exposure,
            'near_infrared': lighting.near_infrared,
            'pupil_glow': lighting.pupil_glow,
        }

    def _frame(self, width: int, height: int, kind: str, channels: int) -> moderngl.Framebuffer:
        key = (width, height, kind, channels)
        if key not in self._frames:
            self._frames[key] = self._gl.framebuffer(
                [self._gl.renderbuffer((width, height), channels, dtype=kind)], self._gl.depth_renderbuffer((width, height))
            )
        return self._frames[key]


def _set_bones(program: moderngl.Program, bones: np.ndarray) -> None:
    program['bone'].write(np.ascontiguousarray(np.swapaxes(bones, 1, 2), np.float32).tobytes())


def _projection(view: View) -> np.ndarray:
    """(4, 4) camera frame -> clip space, with image row 0 as the framebuffer's first row."""
    (fx, skew, cx), (_, fy, cy), _ = view.K
    w, h, n, f = view.width, view.height, _NEAR_M, _FAR_M
    return np.array(
        [
            [2 * fx / w, 2 * skew / w, 2 * (cx + 0.5) / w - 1, 0],
            [0, 2 * fy / h, 2 * (cy + 0.5) / h - 1, 0],
            [0, 0, (f + n) / (f - n), -2 * f * n / (f - n)],
            [0, 0, 1, 0],
        ]
    )


def _light_view(direction: np.ndarray, focus_m: np.ndarray, half_m: float = 0.30) -> np.ndarray:
    """(4, 4) camera frame -> 0..1 in the map of a far light, z growing away from it."""
    away = -np.asarray(direction, float)
    up = np.array([0.0, 1, 0]) if abs(away[1]) < 0.9 else np.array([1.0, 0, 0])
    x = np.cross(up, away)
    x /= np.linalg.norm(x)
    axes = np.stack([x, np.cross(away, x), away / 2.0]) / (2 * half_m)
    out = np.eye(4)
    out[:3, :3], out[:3, 3] = axes, 0.5 - axes @ focus_m
    return out
