"""Portraits turned in 3D: the real pieces on a made-up head, whose pose and looks from every side are known."""

import json
import zipfile
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from ball_head import canonical, write_ball_head

from c2f_head_pose import geometry
from training.data.augment import Augmentation, augment
from training.data.crops import SyntheticCrops
from training.data.portrait_turns import person_of
from training.evaluation.self_consistency import own_poses
from training.portraits.__main__ import main
from training.portraits.dataset import ShardMaker, manifest_of, reduced, split_of, write_people
from training.portraits.fetch import COLLECTIONS, Collection, fetch_pictures
from training.portraits.fit import CAMERA_FROM_MESH, Fitter
from training.portraits.head import MOUTH, SKIN, TEETH, HeadModel
from training.portraits.label import between
from training.portraits.portrait import Portrait, Pose
from training.portraits.turn import Turner
from training.portraits.variety import Variety, draw_poses
from training.synthetic.assets import facekit
from training.synthetic.dataset import people_of
from training.synthetic.layout import write_manifest
from training.synthetic.people.heads import normals
from training.synthetic.people.landmarks import rigid_alignment

pytestmark = pytest.mark.render

SIZE, PX_PER_CM, FAR_M = 400, 10.0, 100.0


@pytest.fixture(scope='module')
def model(tmp_path_factory):
    return HeadModel(write_ball_head(tmp_path_factory.mktemp('head') / 'ball.npz'), canonical())


@pytest.fixture(scope='module')
def fitter(model):
    return Fitter(model)


@pytest.fixture(scope='module')
def turner():
    return Turner()


class Sitter:
    """Somebody made up: a shape and colours of their own, standing before the camera in a known pose."""

    def __init__(self, model, fitter, turner, seed=3, ypr_deg=(8.0, -5.0, 4.0)):
        rng = np.random.default_rng(seed)
        self.model, self.turner = model, turner
        self.vertices = fitter.shaped(rng.normal(0, 0.7, 100), np.zeros(len(model.expression)))
        x, y, z = self.vertices.T
        gray = 0.55 + 0.12 * np.sin(0.8 * x + 1) + 0.12 * np.sin(0.9 * y) + 0.1 * np.sin(0.5 * z)
        self.colours = np.stack([gray, 0.9 * gray, 0.8 * gray], -1)
        self.R_cam_head = geometry.rotation_from_ypr_deg(ypr_deg)
        to_mean = rigid_alignment(model.points(self.vertices), model.points(model.neutral))  # an identity is not a turn
        self.R_cam_mesh = self.R_cam_head @ model.head_from_mesh @ to_mean

    def seen(self, D, K, shift, size):
        """The picture and coverage after a turn D, drawn from the truth."""
        n = len(self.vertices)
        place = self.vertices @ (D @ self.R_cam_mesh).T / 100
        outward, one = normals(place, self.model.triangles), np.ones(n)
        surface = np.column_stack([place, outward, one, np.zeros((n, 6)), one, self.colours[:, ::-1], one])
        none, zero = np.zeros((0, 3), np.int32), np.zeros(3)
        return self.turner.draw(surface, self.model.triangles, none, K, size, zero, zero, zero, shift)

    def portrait(self, fitter):
        """The portrait of a photograph from afar, with MediaPipe's points where they truly are."""
        focal = PX_PER_CM * 100 * FAR_M
        K = np.array([[focal, 0, SIZE / 2 - 0.5], [0, focal, SIZE / 2 - 0.5], [0, 0, 1]])
        self.turner.load(np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4)))
        image, alpha = self.seen(np.eye(3), K, np.array([0, 0, FAR_M]), SIZE)
        person = alpha.astype(np.float32) / 255
        photograph = np.rint(image + (1 - person[..., None]) * [200, 40, 40]).astype(np.uint8)
        points = self.model.points(self.vertices) @ self.R_cam_mesh.T * PX_PER_CM + [SIZE / 2, SIZE / 2, 0]
        return Portrait(self.model, fitter.fit(points), photograph, person)


@pytest.fixture(scope='module')
def sitter(model, fitter, turner):
    return Sitter(model, fitter, turner)


@pytest.fixture(scope='module')
def portrait(sitter, fitter):
    return sitter.portrait(fitter)


def test_a_fit_finds_pose_and_shape_of_points_that_are_metric(sitter, portrait):
    # a shape may explain a little of a turn: faces that look up by two degrees are not told from longer chins
    assert geometry.geodesic_deg(portrait.R_cam_head, sitter.R_cam_head) < 3.0
    assert abs(portrait.fit.pixels_per_cm - PX_PER_CM) < 0.3
    pixels = portrait.fit.in_picture(portrait.fit.vertices)[:, :2]
    truth = (sitter.vertices @ sitter.R_cam_mesh.T * PX_PER_CM + SIZE / 2)[:, :2]
    lies = portrait.model.points(pixels) - portrait.model.points(truth)
    assert np.sqrt((lies**2).sum(1).mean()) < 0.5  # the surface follows the points in the picture


@pytest.mark.parametrize(
    ('yaw', 'pitch', 'most_px', 'most_gray'), [(0, 0, 1.0, 6), (30, 10, 2.5, 10), (-50, -25, 4.0, 16), (75, 0, 5.0, 25)]
)
def test_a_turned_portrait_looks_as_the_same_head_does_from_there(sitter, portrait, turner, yaw, pitch, most_px, most_gray):
    D = geometry.rotation_from_ypr_deg([yaw, pitch, 0]) @ sitter.R_cam_head.T
    turner.load(portrait.image, portrait.person)
    drawn = portrait.draw(turner, Pose(D), 192, 2.2)
    # the truth through the same camera, its sellion at the same place
    sellion = sitter.vertices[portrait.model.landmarks68[27]] @ (D @ sitter.R_cam_mesh).T / 100
    truth, alpha = sitter.seen(D, drawn.K_crop, drawn.t_cam_head_m - sellion, 192)
    landmarks = sitter.vertices[portrait.model.landmarks68] @ (D @ sitter.R_cam_mesh).T / 100 + drawn.t_cam_head_m - sellion
    pixels = landmarks @ drawn.K_crop.T
    assert np.sqrt(((pixels[:, :2] / pixels[:, 2:] + 0.5 - drawn.landmarks68_px) ** 2).sum(1).mean()) < most_px
    both = (alpha == 255) & (drawn.alpha == 255)
    assert both.sum() > 0.9 * (alpha > 127).sum()  # no holes
    face = drawn.landmarks68_px
    box = np.zeros_like(both)
    (x1, y1), (x2, y2) = face.min(0).astype(int), face.max(0).astype(int)
    box[y1:y2, x1:x2] = True
    assert np.abs(drawn.image[both & box].astype(int) - truth[both & box]).mean() < most_gray


def test_the_background_is_nowhere_in_a_turned_portrait(portrait, turner):
    """The photograph's background is (200, 40, 40), blue more than twice the red; the head's blue to red is 1 to 0.8."""
    turner.load(portrait.image, portrait.person)
    for yaw in (0, 60, -90):
        drawn = portrait.draw(turner, Pose(geometry.rotation_from_ypr_deg([yaw, 0, 0]) @ portrait.R_cam_head.T), 192, 2.2)
        solid = drawn.image[drawn.alpha == 255].astype(float)
        assert (solid[:, 0] < 1.6 * solid[:, 2]).mean() > 0.995
        assert (drawn.image[drawn.alpha == 0] == 0).all()  # premultiplied


@pytest.mark.parametrize('background', [True, False])
def test_the_photograph_itself_is_cut_as_the_drawn_portrait_is(portrait, turner, background):
    turner.load(portrait.image, portrait.person)
    drawn, cut = portrait.draw(turner, Pose(np.eye(3)), 192, 2.2), portrait.cut(192, 2.2, background)
    assert np.allclose(cut.landmarks68_px, drawn.landmarks68_px, atol=1e-3)
    assert np.allclose(cut.K_crop, drawn.K_crop) and np.allclose(cut.t_cam_head_m, drawn.t_cam_head_m)
    (x1, y1), (x2, y2) = drawn.landmarks68_px.min(0).astype(int), drawn.landmarks68_px.max(0).astype(int)
    face = np.zeros(cut.alpha.shape, bool)
    face[y1:y2, x1:x2] = drawn.alpha[y1:y2, x1:x2] == 255
    apart = [np.abs(np.roll(cut.image, shift, 1).astype(int) - drawn.image)[face].mean() for shift in (-1, 0, 1)]
    assert apart[1] < 2 and apart[1] < min(apart[0], apart[2])  # to less than a pixel
    wall = cut.image[(drawn.alpha == 0) & (cut.alpha == 255)]
    assert (len(wall) > 1000 and np.abs(np.median(wall, 0) - [200, 40, 40]).max() <= 2) if background else len(wall) < 20


def test_closing_the_eyes_changes_the_eyes_alone(portrait, turner):
    turner.load(portrait.image, portrait.person)
    opened = portrait.draw(turner, Pose(np.eye(3)), 192, 2.2)
    closed = portrait.draw(turner, Pose(np.eye(3), morphs={'eyeBlink_L': 1.0, 'eyeBlink_R': 1.0}), 192, 2.2)
    changed = np.abs(opened.image.astype(int) - closed.image).max(2) > 3
    assert changed.sum() > 20
    assert (opened.alpha == closed.alpha).all()
    eyes = opened.landmarks68_px[36:48].reshape(2, 6, 2).mean(1)
    rows, columns = np.nonzero(changed)
    away = np.linalg.norm(np.stack([columns, rows], -1)[:, None] + 0.5 - eyes, axis=-1).min(1)
    # the morph falls to a hundredth 2.1 cm from the eye's middle, with two pixels of blur; an eye is 3 cm long
    reach = np.linalg.norm(opened.landmarks68_px[36] - opened.landmarks68_px[39]) * 1.4
    assert away.max() < reach


def test_another_identity_changes_the_face_and_neither_its_pose_nor_the_collar(portrait, model):
    own = portrait.shaped(Pose(np.eye(3)))
    other = portrait.shaped(Pose(np.eye(3), identity=np.random.default_rng(2).normal(0, 1, 100)))
    face, changed = model.points(own), model.points(other)
    # rotation of the camera's frame; the jaw's points, where the head's turn begins to fall to the torso's, stay a little behind
    assert np.degrees(np.linalg.norm(geometry.rotation_vector(rigid_alignment(changed, face)))) < 0.2
    assert 0.001 < np.linalg.norm(changed - face, axis=1).mean() < 0.03  # metres
    collar = model.neutral[:, 1] < -17
    assert collar.any() and np.allclose(own[collar], other[collar], atol=1e-9)


def test_an_expression_is_taken_away_by_its_share(model, fitter):
    smile = np.zeros(len(model.expression))
    smile[[list(model.expression).index(f'mouthSmile_{side}') for side in 'LR']] = 0.9
    points = model.points(fitter.shaped(np.zeros(100), smile)) @ CAMERA_FROM_MESH.T * PX_PER_CM + [SIZE / 2, SIZE / 2, 0]
    smiling = Portrait(model, fitter.fit(points), np.full((SIZE, SIZE, 3), 128, np.uint8), np.ones((SIZE, SIZE), np.float32))
    own, half, none = (smiling.shaped(Pose(np.eye(3), relaxed=share)) for share in (0.0, 0.5, 1.0))
    corner = np.abs(model.expression['mouthSmile_L']).max(1).argmax()
    assert none[corner, 1] - own[corner, 1] > 0.003  # metres, y down: the corner comes down again
    assert np.allclose(half, (own + none) / 2, atol=1e-9)


def test_a_smiles_teeth_are_the_portraits_until_the_mouth_is_opened(portrait, turner, monkeypatch):
    """The inside of the mouth takes the portrait's colours where it is, and is painted where jaws open: nobody has seen it."""
    inside = np.isin(portrait.model.kind, (MOUTH, TEETH))
    shares = []
    drawn = turner.draw
    monkeypatch.setattr(turner, 'draw', lambda surface, *rest: (shares.append(surface[: len(inside), 9].copy()), drawn(surface, *rest))[1])
    for morphs in ({}, {'jawOpen': 0.5}, {}):
        portrait.draw(turner, Pose(np.eye(3), morphs=morphs), 64, 2.2)
    closed, opened, again = shares
    assert (closed[inside] == 1).all() and (opened[portrait.model.kind == MOUTH] == 0).all()
    assert (closed[~inside] == opened[~inside])[portrait.model.kind[~inside] == SKIN].all() and (again == closed).all()


def test_turns_are_as_far_as_the_table_allows_and_the_neck_no_farther_than_it_can():
    R = geometry.rotation_from_ypr_deg([10, 5, 0])
    variety = Variety(pictures=400, as_taken=3, upright=0)
    poses = draw_poses(np.random.default_rng(1), R, variety)
    ypr = geometry.ypr_deg_from_rotation(np.stack([pose.D for pose in poses]) @ R)
    assert np.allclose(ypr[:3], [10, 5, 0], atol=1e-6)  # as taken
    assert np.abs(ypr[3:, 0]).max() <= 90 + 1e-6
    assert np.abs(ypr[3:, 1]).max() <= 50 + 1e-6
    assert abs(np.histogram(ypr[3:, 0], 2, (-90, 90))[0][0] - 198.5) < 40  # uniform: sd of the half's count is 10
    assert [pose.identity is None and not pose.morphs for pose in poses[:3]] == [True] * 3
    assert 0.6 < np.mean([pose.identity is not None for pose in poses]) < 0.8
    assert 0.35 < np.mean([pose.relaxed > 0 for pose in poses]) < 0.65
    neck = [np.degrees(np.linalg.norm(geometry.rotation_vector(p.D))) * (1 - p.torso_share) for p in poses]
    assert max(neck) <= 80  # 60 where the torso takes no more than it must


def test_the_zero_pose_is_the_canonical_faces(model):
    """A mesh that must nod forward by a degrees (turn about x, the person's left, from y to z) to reach zero looks up by a before it."""
    R = CAMERA_FROM_MESH @ model.head_from_mesh.T
    yaw, pitch, roll = geometry.ypr_deg_from_rotation(R)
    assert abs(yaw) < 1e-3 and abs(roll) < 1e-3
    assert np.isclose(np.degrees(np.arctan2(model.zero[2, 1], model.zero[1, 1])), pitch, atol=1e-3)


def test_an_own_pose_between_two_opinions_has_the_fits_zero_and_half_of_their_difference():
    """Two people. The fit's zero is 3 degrees about y away; beyond that it differs about z by +4 and -4 degrees: half is 2."""
    network = geometry.rotation_from_ypr_deg(np.array([[10.0, 0, 0], [-20, 5, 0]]))
    apart = np.stack([cv2.Rodrigues(np.radians([0.0, 0, angle]))[0] for angle in (4, -4)])
    zero = cv2.Rodrigues(np.radians([0.0, 3, 0]))[0]
    fit = network @ apart @ zero
    assert np.abs(geometry.geodesic_deg(between(network, fit, 0.0), network @ zero)).max() < 0.02
    half = between(network, fit, 0.5)
    assert np.abs(geometry.geodesic_deg(half, network @ zero) - 2).max() < 0.02
    assert np.abs(geometry.geodesic_deg(half, fit) - 2).max() < 0.02
    assert np.abs(geometry.geodesic_deg(between(network, fit, 1.0), fit)).max() < 1e-6


def test_a_difference_of_zeros_about_other_axes_is_chance():
    """Everybody's fit leans by a degree about x: the network's poses stay level."""
    network = geometry.rotation_from_ypr_deg(np.array([[10.0, 0, 0], [-20, 5, 0]]))
    leaning = network @ cv2.Rodrigues(np.radians([1.0, 0, 0]))[0]
    assert np.abs(geometry.geodesic_deg(between(network, leaning, 0.0), network)).max() < 0.02


def test_a_dataset_joins_renders_format_and_is_labelled_anew_without_drawing(tmp_path, model, fitter, turner, capsys):
    """Two people, four pictures each: within a person labels differ by the exact turns; a second labelling moves nothing."""
    folder = tmp_path / 'portraits'
    variety = Variety(pictures=4)
    manifest = manifest_of(2, variety, 1, 'a test', {})
    write_manifest(folder, manifest)
    write_people(folder, ['one', 'two'])
    maker = ShardMaker(folder, variety, manifest, lambda person: Sitter(model, fitter, turner, seed=person).portrait(fitter))
    maker.make(0)
    D = np.load(folder / 'turns' / 'shard-00000.npz')['D']
    image = (folder / 'shard-00000' / 'image.npy').read_bytes()
    assert (SyntheticCrops([folder], None).table['t_cam_head_m'][[0, 1, 4, 5], 2] == 100).all()  # the photographs
    for expected in ('train on these labels', 'settled\n'):
        assert main(['label', '--output', str(folder)]) is None
        assert expected in capsys.readouterr().out
        crops = SyntheticCrops([folder], None)
        R = crops.table['R_cam_head'].reshape(2, 4, 3, 3)
        relative = R @ np.swapaxes(R[:, :1], -1, -2)
        assert np.allclose(relative.reshape(8, 3, 3), D, atol=1e-9)  # the first picture of each is the photograph: D is the identity
    assert (folder / 'shard-00000' / 'image.npy').read_bytes() == image
    batch = augment(crops.gather(np.arange(8)), 96, Augmentation(), torch.Generator().manual_seed(1))
    assert torch.isfinite(batch.rotation).all() and torch.isfinite(batch.landmarks).all()
    far = crops.table['t_cam_head_m'][:, 2] == 100
    apart = geometry.geodesic_deg(crops.table['R_crop_head'], crops.table['R_cam_head'])
    assert far.any() and apart[far].max() < 0.1  # seen from afar a crop's ray is the optical axis


def test_a_dataset_takes_the_own_poses_of_another_of_the_same_portraits(tmp_path, model, fitter, turner, capsys):
    def made(name, pictures, people=('one', 'two')):
        folder, variety = tmp_path / name, Variety(pictures=pictures)
        manifest = manifest_of(2, variety, 1, 'a test', {})
        write_manifest(folder, manifest)
        write_people(folder, list(people))
        ShardMaker(folder, variety, manifest, lambda person: Sitter(model, fitter, turner, seed=person).portrait(fitter)).make(0)
        return folder

    labelled, photographs, others = made('labelled', 3), made('photographs', 2), made('others', 2, ('one', 'three'))
    assert main(['label', '--own-poses', str(labelled), '--output', str(photographs)]) == 2
    assert 'label it by a network first' in capsys.readouterr().err
    assert main(['label', '--output', str(labelled)]) is None
    assert main(['label', '--own-poses', str(labelled), '--output', str(photographs)]) is None
    theirs, mine = (SyntheticCrops([folder], None).table['R_cam_head'] for folder in (labelled, photographs))
    assert np.allclose(mine[[0, 1, 2, 3]], theirs[[0, 0, 3, 3]], atol=1e-6)
    capsys.readouterr()
    assert main(['label', '--own-poses', str(labelled), '--output', str(others)]) == 2
    assert 'not of the same portraits' in capsys.readouterr().err
    (labelled / 'shard-00000').rename(tmp_path / 'lost')
    assert main(['label', '--own-poses', str(labelled), '--output', str(photographs)]) == 2
    assert 'no pictures of 2 of the portraits' in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(['label', '--own-poses', str(labelled), '--model', 'c2f', '--output', str(photographs)])


@pytest.mark.parametrize(
    ('options', 'told'),
    [(['--pictures', '1'], 'no picture with exactly one face'), (['--pictures', '3', '--as-taken', '4'], '--as-taken 4')],
)
def test_a_portrait_of_one_picture_is_the_photograph_and_more_photographs_than_pictures_are_refused(
    tmp_path, monkeypatch, capsys, options, told
):
    """The first gets as far as the empty folder of pictures."""
    monkeypatch.setattr('training.portraits.fetch.sources', lambda: SimpleNamespace(portraits=tmp_path))
    assert main(['turn', '--output', str(tmp_path / 'out'), *options]) == 2
    assert told in capsys.readouterr().err


def test_who_is_held_out_depends_on_nobody_else(tmp_path):
    """Five more portraits between the others change no split; of 400 names a tenth is held out, 40 with a deviation of 6.

    The first 8 bytes of a name's SHA-256 modulo 20 are its place, of which 18 validates and 19 tests: `printf M | sha256sum` begins with
    08f271887ce94707, 19 modulo 20; E1 with 22249aa61fd2594e, 18; C with 6b23c0d5f35d1b11, 17.
    """
    assert [split_of(name) for name in ('M', 'E1', 'C')] == ['test', 'val', 'train']
    names = [f'person {i}' for i in range(400)]
    more = [*names[:100], *(f'somebody {i}' for i in range(5)), *names[100:]]
    for folder, people in ((tmp_path / 'one', names), (tmp_path / 'two', more)):
        folder.mkdir()
        write_people(folder, people)
    one, two = (people_of(tmp_path / name, ('val', 'test')) for name in ('one', 'two'))
    assert one == {person for person in two if not person[0].startswith('somebody')} and 20 < len(one) < 60
    with pytest.raises(ValueError, match='begun with other portraits'):
        write_people(tmp_path / 'one', more)


def test_a_folder_without_a_dataset_is_refused_with_a_line(tmp_path, capsys):
    assert main(['label', '--output', str(tmp_path)]) == 2
    assert 'has no manifest.json' in capsys.readouterr().err


def test_own_poses_are_the_mean_turned_back_and_near_turns_count_more():
    """Three pictures turned by 0, 10 and 60 degrees; the far one's estimate is off by 20 degrees, its weight exp(-0.5 (60/25)^2) = 0.056.

    The others weigh 1 and 0.92, so the mean is off by about 20 * 0.056 / 1.98 = 0.57 degrees; unweighted it would be 6.7.
    """
    base = geometry.rotation_from_ypr_deg([5, -8, 2])
    D = np.stack([geometry.rotation_from_vector(np.radians([0.0, a, 0.0])) for a in (0, 10, 60)])
    R = D @ base
    R[2] = R[2] @ geometry.rotation_from_vector(np.radians([20.0, 0.0, 0.0]))
    (found,) = own_poses(R, D, np.zeros(3, int), 1)
    assert np.isclose(geometry.geodesic_deg(found, base), 0.57, atol=0.08)


def test_pictures_are_fetched_once_and_a_changed_one_is_refused(tmp_path, collection):
    """The service has two pictures, one of them in a folder, one page that is none, and one picture that it breaks off."""
    said = []
    fetch_pictures(tmp_path, collection('a', 'one/b', 'page', 'absent', 'broken_off'), said.append, 0)
    assert sorted(p.name for p in tmp_path.glob('*.jpg')) == ['a.jpg', 'b.jpg']
    assert (tmp_path / 'who.csv').read_text() == 'name,age\na,20\n'
    assert 'somebody, CC0' in said[0] and '3 portraits (somebody) could not be fetched' in said[-1]
    fetch_pictures(tmp_path, collection('a', 'one/b', address='http://127.0.0.1:9/{}'), said.append, 0)  # nothing is asked for again
    (tmp_path / 'a.jpg').write_bytes(b'something else')
    with pytest.raises(ValueError, match=r'a\.jpg changed since it was fetched'):
        fetch_pictures(tmp_path, collection('a', 'one/b'), said.append, 0)


def test_no_service_means_a_line_that_names_the_way_out(tmp_path, collection):
    with pytest.raises(RuntimeError, match='PORTRAITS_DIR'):
        fetch_pictures(tmp_path, collection('a', 'b', address='http://127.0.0.1:9/{}'), lambda _: None, 0)


def test_the_collections_name_every_picture_once_and_hold_out_a_person_with_all_pictures():
    """874 members of the Congress, 102 people of the London set, neutral and smiling, and 40 photographed in Canada."""
    names = [[place.rpartition('/')[2] for place in source.places()] for source in COLLECTIONS]
    people = [{person_of(name) for name in of_source} for of_source in names]
    assert [len(of_source) for of_source in names] == [874, 204, 40] and [len(of_source) for of_source in people] == [874, 102, 40]
    assert len({name for of_source in names for name in of_source}) == 1118 and len(set.union(*people)) == 1016
    assert all(split_of(name) == split_of(person_of(name)) for of_source in names for name in of_source)


def test_a_large_picture_is_reduced_with_its_face():
    """A face 680 high in 900 x 1200 becomes 340 high in 450 x 600; one of 340 stays as it is."""
    image = np.zeros((1200, 900, 3), np.uint8)
    small, box = reduced(image, np.array([100.0, 200.0, 600.0, 880.0]))
    assert small.shape == (600, 450, 3) and box.tolist() == [50, 100, 300, 440]
    assert reduced(image, np.array([0.0, 0.0, 300.0, 340.0]))[0] is image


@pytest.fixture
def collection(tmp_path_factory, served):
    """Makes a collection of the given places."""

    def make(*places, address=served):
        path = tmp_path_factory.mktemp('list') / 'list.csv'
        path.write_text('\n'.join(['place', *places]) + '\n')
        return Collection('somebody', 'CC0', address, path, served.replace('{}.jpg', 'who.csv') if address == served else '')

    return make


class Service(SimpleHTTPRequestHandler):
    """Serves a folder, and breaks off one picture."""

    def do_GET(self):
        if 'broken_off' not in self.path:
            return super().do_GET()
        self.send_response(200)
        self.send_header('Content-Length', '1000')
        self.end_headers()
        self.wfile.write(b'half')


@pytest.fixture
def served(tmp_path_factory):
    """The address of a service on this machine."""
    folder = tmp_path_factory.mktemp('served')
    (folder / 'one').mkdir()
    for name in ('a', 'b', 'one/b'):
        cv2.imwrite(str(folder / f'{name}.jpg'), np.full((20, 16, 3), 90, np.uint8))
    (folder / 'page.jpg').write_text('<html>moved</html>')
    (folder / 'who.csv').write_text('name,age\na,20\n')
    handler = partial(Service, directory=str(folder))
    with ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield f'http://127.0.0.1:{server.server_port}/{{}}.jpg'
        server.shutdown()
        thread.join()


def test_faces_of_three_and_four_corners_and_centimetres_are_read_from_a_clone_and_from_its_zip(tmp_path):
    """A tetrahedron with a square beside it; mode i moves every vertex by i millimetres along x, the blink by 1 cm along y."""
    neutral = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0], [0.5, 0.5, 1]], float)

    def obj(vertices):
        corners = '# made up\n' + ''.join(f'v {x:.4f} {y:.4f} {z:.4f}\n' for x, y, z in vertices)
        return corners + 'vt 0 0\nf 1/1 2/1 5/1\nf 1/1 2/1 4/1 3/1\n'

    folder = tmp_path / 'clone' / 'FaceXModel'
    folder.mkdir(parents=True)
    (folder / 'generic_neutral_mesh.obj').write_text(obj(neutral))
    (folder / 'vertex_indices.json').write_text(json.dumps({'idx_to_landmark_verts': [4] * 68}))
    (folder / 'eyeBlink_L.obj').write_text(obj(neutral + [0, 1, 0]))
    for i in range(100):
        (folder / f'identity{i:03d}.obj').write_text(obj(neutral + [i / 10, 0, 0]))
    with zipfile.ZipFile(tmp_path / 'clone.zip', 'w') as archive:
        for path in folder.iterdir():
            archive.write(path, f'ICT-FaceKit-{facekit.COMMIT}/FaceXModel/{path.name}')
    for source in (tmp_path / 'clone', tmp_path / 'clone.zip'):
        read = facekit.read_facekit(source)
        assert read['faces'].tolist() == [[0, 1, 4, -1], [0, 1, 3, 2]]
        assert np.allclose(read['neutral'], neutral)
        assert np.allclose(read['identity'][:, :, 0], np.arange(100)[:, None] / 10, atol=0.005)
        assert read['expression_names'].tolist() == ['eyeBlink_L'] and np.allclose(read['expression'][0], [0, 1, 0])
    (folder / 'identity042.obj').unlink()
    with pytest.raises(ValueError, match=r'lacks FaceXModel/identity042\.obj'):
        facekit.read_facekit(tmp_path / 'clone')
