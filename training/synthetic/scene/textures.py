"""Makes the renderer's textures from pictures of the asset cache and from noise."""

from __future__ import annotations

from pathlib import Path

import cv2
import moderngl
import numpy as np


class Textures:
    """Pictures of the asset cache as OpenGL textures; each is read once.

    Args:
        gl: the OpenGL context.
        assets: the asset cache.
    """

    def __init__(self, gl: moderngl.Context, assets: Path):
        self._gl, self._assets = gl, Path(assets)
        self._read: dict[str, tuple[moderngl.Texture, float]] = {}

    def read(self, name: str) -> tuple[moderngl.Texture, float]:
        """Reads a picture of the asset folder, and its typical linear brightness where it is opaque."""
        if name not in self._read:
            image = cv2.imread(str(self._assets / name), cv2.IMREAD_UNCHANGED)
            if image is None:
                raise RuntimeError(f'{self._assets / name} is missing: delete that folder and run `python -m training.synthetic.assets`')
            brightness = 1.0
            if image.ndim == 2:
                image = image[..., None]
            else:
                colours = image[..., :3][image[..., 3] > 100] if image.shape[2] == 4 else image[..., :3].reshape(-1, 3)
                if len(colours):
                    brightness = float(np.percentile((colours / 255.0) ** 2.2 @ [0.0722, 0.7152, 0.2126], 65))
                image = image[..., [2, 1, 0, 3][: image.shape[2]]]
            texture = self._gl.texture(image.shape[1::-1], image.shape[2], np.ascontiguousarray(image).tobytes(), alignment=1)
            texture.build_mipmaps()
            texture.filter = (moderngl.LINEAR_MIPMAP_NEAREST, moderngl.LINEAR)
            self._read[name] = (texture, brightness)
        return self._read[name]


def noise_texture(gl: moderngl.Context, size: int = 256) -> moderngl.Texture:
    """Makes four independent tiling channels, octaves of smoothed noise about 0.5."""
    rng = np.random.default_rng(7)
    out = np.zeros((size, size, 4), np.float32)
    for cells, share in ((16, 0.3), (64, 0.5), (256, 0.4)):
        coarse = rng.standard_normal((cells, cells, 4)).astype(np.float32)
        wrapped = np.pad(coarse, ((2, 2), (2, 2), (0, 0)), mode='wrap')
        scale = size // cells
        large = cv2.resize(wrapped, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        out += share * large[2 * scale : 2 * scale + size, 2 * scale : 2 * scale + size]
    out = np.clip(0.5 + 0.17 * out / out.std() * 1.0, 0, 1)
    texture = gl.texture((size, size), 4, (out * 255).astype(np.uint8).tobytes())
    texture.build_mipmaps()
    texture.filter = (moderngl.LINEAR_MIPMAP_NEAREST, moderngl.LINEAR)
    return texture
