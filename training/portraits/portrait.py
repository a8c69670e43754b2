"""One portrait ready to be turned: the head fitted, its hair and body about it, its colours found."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import cv2
import numpy as np

from c2f_head_pose import geometry
from training.synthetic.people.heads import normals
from training.synthetic.people.landmarks import SELLION, rigid_alignment
from training.synthetic.scene.crops import crop_camera

from .fit import Fit, Fitter
from .head import HeadModel
from .mediapipe import MediaPipe
from .surface import add_hair, follow_of, head_triangles, round_sheet
from .texture import Texture, depth_picture, extend_person, paint
from .turn import UNLIT, Light, Turner

_PIVOT_CM = np.array([0.0, -4.0, -1.0])  # where a head turns on its neck, mesh axes
_FRAME_PX_PER_M = 600.0  # of the frame that the crop is cut from; any value gives the same crop

FAR_M = 100.0
"""Camera to sellion of a picture without perspective."""


@dataclass(frozen=True, eq=False)
class Pose:
    """How a portrait is drawn.

    Attributes:
        D: (3, 3) turn of the head in the camera frame, from where it stands in the portrait.
        torso_share: share of that turn that the torso takes.
        distance_m: camera to sellion; far is orthographic.
        morphs: expression name to the strength that is added.
        gaze_deg: gaze of both eyes, to the person's left and up.
        light: the relighting's light.
        identity: (100,) added to the fit's, in standard deviations: the portrait's colours on another face; None for its own.
        relaxed: share of the portrait's own expression that is taken away.
    """

    D: np.ndarray
    torso_share: float = 0.4
    distance_m: float = FAR_M
    morphs: dict[str, float] = field(default_factory=dict)
    gaze_deg: tuple[float, float] = (0.0, 0.0)
    light: Light = UNLIT
    identity: np.ndarray | None = None
    relaxed: float = 0.0


@dataclass(frozen=True, eq=False)
class Drawn:
    """A picture of a portrait with what is exact about it.

    Attributes:
        image: (S, S, 3) uint8 BGR premultiplied by alpha.
        alpha: (S, S) uint8.
        K_crop: (3, 3).
        t_cam_head_m: (3,) sellion.
        landmarks68_px: (68, 2) crop pixels, continuous.
    """

    image: np.ndarray
    alpha: np.ndarray
    K_crop: np.ndarray
    t_cam_head_m: np.ndarray
    landmarks68_px: np.ndarray


class Portrait:
    """A portrait's surface.

    Args:
        model: the head.
        fit: the face's fit.
        image: (H, W, 3) uint8 BGR.
        person: (H, W) float32 0..1.
    """

    def __init__(self, model: HeadModel, fit: Fit, image: np.ndarray, person: np.ndarray):
        self.model, self.fit, self.person = model, fit, person
        self.photograph = image
        self.vertices = add_hair(model, fit, person)
        camera = fit.R_cam_mesh @ self.vertices.T
        depth = depth_picture(fit.in_picture(self.vertices)[:, :2], head_triangles(model, mouth=False), camera[2], person.shape)
        self.image = extend_person(image, person)
        self._normals = normals(camera.T, model.triangles)
        self.texture: Texture = paint(model, fit, self.vertices, self._normals, depth, self.image, person)
        self.sheet = round_sheet(model, fit, self.vertices, person)
        self._follow = follow_of(self.vertices[:, 1])
        self._head = {mouth: head_triangles(model, mouth) for mouth in (False, True)}
        self._face = model.points(model.neutral + np.tensordot(fit.identity.astype(np.float32), model.identity, 1))  # at rest
        self._expression = np.tensordot(fit.expression.astype(np.float32), np.stack(list(model.expression.values())), 1)
        self._body = self.sheet.triangles + len(self.vertices)
        self._constant = self._attributes()

    @cached_property
    def R_cam_head(self) -> np.ndarray:
        """(3, 3) as the fit has it: MediaPipe's depth is not metric, so its pitch is off by some degrees.

        The neutral face is aligned to the mean face, as the renders' are: an identity is not a turn.
        """
        to_mean = rigid_alignment(self._face, self.model.points(self.model.neutral))
        return self.fit.R_cam_mesh @ to_mean.T @ self.model.head_from_mesh.T

    def _attributes(self) -> np.ndarray:
        """(N, 18) float32 inputs of the vertex program for the expression of the portrait."""
        t, n, m = self.texture, len(self.vertices), len(self.sheet.points)
        head = np.column_stack(
            [
                *(np.zeros((n, 3)), self._normals, self._follow, t.uv, t.trust),
                *(t.mirrored_uv, t.mirrored_trust, t.gain, t.fill[:, ::-1], 1 + t.grain),
            ]
        )
        out = np.zeros((n + m, head.shape[1]), np.float32)
        out[:n] = head
        out[n:, :3] = self.sheet.points
        out[n:, 5] = -1.0
        out[n:, 6] = self.sheet.follow
        out[n:, 7:9] = self.sheet.uv
        out[n:, 9] = 1.0
        return out

    def shaped(self, pose: Pose) -> np.ndarray:
        """(V, 3) metres, camera axes, of the head with a pose's face, expression and gaze, as it stands in the portrait."""
        vertices = self.vertices.copy()
        if pose.identity is not None:
            vertices = self._reshaped(vertices, pose.identity)
        if any(pose.gaze_deg):
            left, up = np.radians(pose.gaze_deg)
            R = geometry.rotation_from_vector(np.array([0.0, left, 0.0])) @ geometry.rotation_from_vector(np.array([-up, 0.0, 0.0]))
            for side in (False, True):
                eye = self.model.eye(side)
                centre = (vertices[eye].min(0) + vertices[eye].max(0)) / 2
                vertices[eye] = (vertices[eye] - centre) @ R.T + centre
        for name, strength in pose.morphs.items():
            vertices += strength * self.model.expression[name]
        if pose.relaxed:
            vertices -= pose.relaxed * self._expression
        return vertices @ self.fit.R_cam_mesh.T / 100

    def _reshaped(self, vertices: np.ndarray, identity: np.ndarray) -> np.ndarray:
        """(V, 3) vertices with another identity, laid on the fit's by the face: a chin that is longer is no head that looks up."""
        moves = np.tensordot(identity.astype(np.float32), self.model.identity, 1)
        other = self._face + self.model.points(moves)
        R = rigid_alignment(other, self._face)
        laid = self._face.mean(0) + (vertices + moves - other.mean(0)) @ R.T
        return vertices + self._follow[: len(vertices), None] * (laid - vertices)  # the collar stays

    def draw(self, turner: Turner, pose: Pose, size: int, margin: float) -> Drawn:
        """A square picture about the face's landmarks; `turner.load` had this portrait's colours."""
        shaped = self.shaped(pose)
        surface, mouth = self._constant, self.texture.smile > 0
        surface[: len(shaped), :3] = shaped
        surface[: len(shaped)][mouth, 9] = (self.texture.trust if 'jawOpen' in pose.morphs else self.texture.smile)[mouth]
        pivot = self.fit.R_cam_mesh @ _PIVOT_CM / 100
        landmarks = (shaped[self.model.landmarks68] - pivot) @ pose.D.T + pivot
        shift = np.array([0, 0, pose.distance_m]) - landmarks[SELLION]
        placed = landmarks + shift
        K_crop = _crop_camera(placed, margin, size)
        turn = geometry.rotation_vector(pose.D)
        image, alpha = turner.draw(
            surface, self._head['jawOpen' in pose.morphs], self._body, K_crop, size, pivot, turn, turn * pose.torso_share, shift, pose.light
        )
        return Drawn(image, alpha, K_crop, placed[SELLION], _in_crop(placed, K_crop))

    def cut(self, size: int, margin: float, background: bool) -> Drawn:
        """The photograph itself, cropped as `draw` does: nothing in it is drawn.

        Args:
            size: side of the crop, pixels.
            margin: side of the crop over that of the landmarks' box.
            background: whether its own background stays; beyond the photograph's edge there is none.
        """
        landmarks = self.vertices[self.model.landmarks68] @ self.fit.R_cam_mesh.T / 100
        placed = landmarks + [0, 0, FAR_M] - landmarks[SELLION]
        K_crop = _crop_camera(placed, margin, size)
        scale = K_crop[0, 0] / FAR_M / (100 * self.fit.pixels_per_cm)  # crop pixels per pixel of the photograph
        pixels = _in_crop(placed, K_crop)
        moved = pixels[SELLION] - scale * self.fit.in_picture(self.vertices[self.model.landmarks68[[SELLION]]])[0, :2]
        coverage = np.ones_like(self.person) if background else self.person
        layers = np.dstack([self.photograph * coverage[..., None], 255 * coverage]).astype(np.float32)
        finer = int(np.ceil(1 / scale))  # no pixel of the photograph is skipped
        # continuous coordinates count from the first pixel's corner, warpAffine's from its centre
        matrix = np.column_stack([scale * finer * np.eye(2), finer * moved + 0.5 * (scale * finer - 1)])
        fine = cv2.warpAffine(layers, matrix, (size * finer, size * finer), flags=cv2.INTER_LINEAR)
        cut = np.rint(cv2.resize(fine, (size, size), interpolation=cv2.INTER_AREA)).astype(np.uint8)
        return Drawn(np.ascontiguousarray(cut[..., :3]), np.ascontiguousarray(cut[..., 3]), K_crop, placed[SELLION], pixels)


def _crop_camera(placed: np.ndarray, margin: float, size: int) -> np.ndarray:
    """(3, 3) camera matrix of the crop about landmarks, (68, 3) metres, whose sellion is on the optical axis."""
    focal = _FRAME_PX_PER_M * placed[SELLION, 2]
    return crop_camera(np.diag([focal, focal, 1.0]), placed, np.eye(3), margin, size)[0]


def _in_crop(placed: np.ndarray, K_crop: np.ndarray) -> np.ndarray:
    """(N, 2) continuous crop pixels of (N, 3) metres in the camera frame."""
    pixels = placed @ K_crop.T
    return pixels[:, :2] / pixels[:, 2:] + 0.5


class Builder:
    """Makes portraits of pictures.

    Args:
        mediapipe: the networks.
        model: the head.
    """

    def __init__(self, mediapipe: MediaPipe, model: HeadModel):
        self.mediapipe, self.model = mediapipe, model
        self.fitter = Fitter(model)

    def build(self, image: np.ndarray, box: np.ndarray) -> Portrait:
        """The portrait of the face in a box.

        Args:
            image: (H, W, 3) uint8 BGR.
            box: (4,) x1 y1 x2 y2 of a detected face, pixels.
        """
        points = self.mediapipe.face_points(image, box)
        return Portrait(self.model, self.fitter.fit(points), image, self.mediapipe.person(image))
