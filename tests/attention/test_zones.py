"""Zones on the unit sphere, assigned by probability mass."""

from pathlib import Path

import numpy as np
import pytest

from c2f_head_pose import geometry
from c2f_head_pose.attention.vehicle_profile import find_zones, load_zones
from c2f_head_pose.attention.zones import ELSEWHERE, Zone, ZoneMap, azimuth_elevation_deg, camera_mount, direction, head_directions
from c2f_head_pose.turn import turn_rotation_back

CONFIG = Path(__file__).parents[2] / 'config'
LHD = load_zones(CONFIG / 'zones_passenger_car_lhd.yaml')
RHD = load_zones(CONFIG / 'zones_passenger_car_rhd.yaml')
LOOKING_BACK = camera_mount(180, 0)


def facing(azimuth, elevation):
    """R_vehicle_head of an upright head whose face points there."""
    x = direction(azimuth, elevation)
    y = np.cross([0, 0, 1], x)
    y /= np.linalg.norm(y)
    return np.stack([x, y, np.cross(x, y)], axis=1)


@pytest.mark.parametrize(
    'name, metres',
    [
        ('instrument_cluster', (0.75, -0.05, -0.35)),
        ('interior_mirror', (0.75, -0.42, 0.25)),
        ('driver_mirror', (0.95, 0.78, -0.25)),
        ('passenger_mirror', (1.55, -1.62, -0.25)),
        ('centre_screen', (0.70, -0.45, -0.30)),
        ('lap', (0.45, -0.10, -0.55)),
        ('passenger', (0.10, -0.75, 0.05)),
        ('passenger_footwell', (0.60, -0.80, -0.85)),
        ('road_ahead', (60, 0, -0.9)),
    ],
)
def test_every_target_measured_in_the_car_lies_in_its_zone_for_the_eyes_and_for_the_head(name, metres):
    """The file's own table: the eyes on the target with share 1, the head at 0.8 of its azimuth and 0.7 of its elevation."""
    azimuth, elevation = azimuth_elevation_deg(np.array(metres))
    assert LHD.zone_of(direction(0.8 * azimuth, 0.7 * elevation)) == name
    assert ZoneMap('eyes', LHD.zones).zone_of(direction(azimuth, elevation)) == name


def test_right_hand_drive_is_the_mirror_image_with_the_same_names():
    """The driver's own mirror is 0.8 * 39 = 31 degrees to the left with the wheel on the left, right with it on the right."""
    assert LHD.zone_of(direction(31, -8)) == RHD.zone_of(direction(-31, -8)) == 'driver_mirror'
    assert RHD.zone_of(direction(24, 11)) == 'interior_mirror' != LHD.zone_of(direction(24, 11))
    assert [z.name for z in LHD.zones] == [z.name for z in RHD.zones]


@pytest.mark.parametrize('zones', [LHD, RHD])
def test_masses_sum_to_one_and_each_zones_centre_belongs_to_it(zones):
    for zone in zones.zones:
        azimuth, elevation = azimuth_elevation_deg(zones.centre(zone.name))
        mass = zones.mass(facing(azimuth, elevation), np.array([2, 2, 2]))
        assert sum(mass.probabilities.values()) == pytest.approx(1)
        assert mass.road + mass.driving + mass.away == pytest.approx(1)
        assert mass.most_probable == zone.name


def test_a_zone_is_assigned_by_mass_not_by_the_point():
    """A cone of 3 degrees at straight ahead, in a wide `away` polygon; the face points into the cone's very centre.

    With 1 degree of deviation the cone holds 1 - exp(-3^2 / 2) = 0.989 of a two-dimensional normal; with 10 degrees,
    1 - exp(-3^2 / 200) = 0.044: the point is in the cone, the probability is not.
    """
    wide = Zone('wide', 'away', ((-80, -60), (-80, 60), (80, 60), (80, -60)))
    zones = ZoneMap('test', (Zone('sign', 'road', cone_deg=(0, 0, 3)), wide))
    sharp, blurred = (zones.mass(facing(0, 0), np.full(3, std)) for std in (1.0, 10.0))
    assert zones.zone_of(direction(0, 0)) == 'sign'
    assert sharp.probabilities['sign'] == pytest.approx(0.989, abs=0.01) and sharp.most_probable == 'sign'
    assert blurred.probabilities['sign'] == pytest.approx(0.044, abs=0.01) and blurred.most_probable == 'wide'


def test_a_cone_shrinks_by_the_share_of_the_head_as_a_polygon_does():
    """A driver turns the head by half of each gaze. The road reaches 20 degrees of gaze aside, so 10 of the head: 9 are inside, 11 are not.
    With shares of 0.8 and 0.45 the cone keeps a circle's area, 20 sqrt(0.36) = 12 degrees, where an ellipse had 16 and 9."""
    square, cone = (Zone('road', 'road', ((20, -20), (20, 20), (-20, 20), (-20, -20))), Zone('road', 'road', cone_deg=(0, 0, 20)))
    for zone in (square, cone):
        zones = ZoneMap('test', (zone,), (0.5, 0.5))
        assert [zones.zone_of(direction(*at)) for at in ((9, 0), (11, 0), (0, 9), (0, 11))] == ['road', ELSEWHERE, 'road', ELSEWHERE]
    uneven = ZoneMap('test', (cone,), (0.8, 0.45))
    assert [uneven.zone_of(direction(*at)) for at in ((11.9, 0), (12.1, 0), (0, 11.9), (0, 12.1))] == ['road', ELSEWHERE] * 2


def test_half_the_mass_lies_on_each_side_of_an_edge():
    """The face points at a polygon's edge 10 degrees to the left: half of it is inside, whatever the deviation."""
    zones = ZoneMap('test', (Zone('road', 'road', ((10, 60), (10, -60), (-60, -60), (-60, 60))),))
    for std in (1.0, 4.0, 8.0):
        mass = zones.mass(facing(10, 0), np.full(3, std))
        assert mass.road == pytest.approx(0.5, abs=0.02)
        assert mass.probabilities[ELSEWHERE] == pytest.approx(0.5, abs=0.02)


def test_the_draws_have_the_stated_deviation_in_elevation_and_azimuth():
    """A turn about the head's y axis tips the face up or down, one about z turns it sideways; roll moves nothing."""
    directions = head_directions(facing(0, 0), np.array([30.0, 2.0, 6.0]))
    angles = np.array([azimuth_elevation_deg(d) for d in directions])
    assert angles.std(axis=0) == pytest.approx([6, 2], rel=0.03)
    assert angles.mean(axis=0) == pytest.approx([0, 0], abs=0.1)
    assert np.linalg.norm(directions, axis=1) == pytest.approx(1)


def test_a_camera_on_the_dashboard_sees_a_driver_who_looks_ahead_as_a_frontal_face():
    """It looks straight back: its z is the car's -x, its x (image right) the car's left, its y down.

    A frontal face has R_cam_head = HEAD_AXES, so the face's x axis in the car is R_vehicle_cam @ (0, 0, -1) = straight ahead;
    300W-LP's yaw > 0 turns towards the image's left, which is the car's right: azimuth < 0; pitch > 0 looks up.
    """
    assert pytest.approx(np.array([[0, 0, -1], [1, 0, 0], [0, -1, 0]]), abs=1e-12) == LOOKING_BACK
    for ypr, expected in (([0, 0, 0], (0, 0)), ([30, 0, 0], (-30, 0)), ([0, 20, 0], (0, 20)), ([0, 0, 25], (0, 0))):
        face = LOOKING_BACK @ geometry.rotation_from_ypr_deg(np.array(ypr, float))[:, 0]
        assert azimuth_elevation_deg(face) == pytest.approx(expected, abs=1e-9)


def test_a_tilted_mount_is_a_rotation_that_points_in_its_stated_direction():
    """20 degrees up and 165 round from the front, turned by 10: its z axis is that direction, its determinant 1."""
    R = camera_mount(165, 20, 10)
    assert pytest.approx(np.eye(3), abs=1e-12) == R @ R.T
    assert np.linalg.det(R) == pytest.approx(1)
    assert azimuth_elevation_deg(R[:, 2]) == pytest.approx((165, 20))
    down_in_image = R @ [np.sin(np.radians(10)), np.cos(np.radians(10)), 0]
    assert down_in_image[2] == pytest.approx(-np.cos(np.radians(20))), 'turned clockwise by 10: the world leans the other way'


@pytest.mark.parametrize('rotation_deg', [0, 90, 180, 270])
def test_the_mounts_turn_is_the_rotation_that_makes_the_image_upright(rotation_deg):
    """A head found in the upright image is where it is in the car of a camera that is mounted upright."""
    R_upright_head = LOOKING_BACK.T @ facing(-9, -34)
    R_cam_head = turn_rotation_back(R_upright_head, rotation_deg)
    assert camera_mount(180, 0, rotation_deg) @ R_cam_head == pytest.approx(facing(-9, -34), abs=1e-9)


@pytest.mark.parametrize(
    'zone, complaint',
    [
        (Zone('a', 'elsewhere', cone_deg=(0, 0, 5)), 'kind'),
        (Zone('a', 'road'), 'either a cone or a polygon'),
        (Zone('a', 'road', cone_deg=(0, 0, 95)), 'radius'),
        (Zone('a', 'road', cone_deg=(float('nan'), 0, 5)), 'finite'),
        (Zone('a', 'road', ((-10, -10), (10, float('inf')), (10, 10))), 'finite'),
        (Zone('a', 'road', ((0, 0), (120, 0), (-120, 0))), 'half sphere'),  # around the whole horizon: it has no middle
        (Zone('a', 'road', ((0, 0), (10, 0))), 'three corners'),
        (Zone('a', 'road', ((-10, -10), (10, 10), (10, -10), (-10, 10))), 'convex'),
        (Zone('a', 'road', ((-20, -20), (20, -20), (0, -10), (20, 20))), 'convex'),
    ],
)
def test_a_zone_that_is_none_is_refused_by_name(zone, complaint):
    with pytest.raises(ValueError, match=f"'a'.*{complaint}"):
        ZoneMap('test', (zone, Zone('road', 'road', cone_deg=(0, 0, 10))))


@pytest.mark.parametrize(
    'text',
    [
        '[]',
        'name: x',
        'name: x\nzones: 3',
        'name: x\nzones: [{name: a, kind: road, cone: [0, 0]}]',
        'name: x\nzones: [{name: a, kind: road, cones: [0, 0, 5]}]',
        'name: x\nzones: []',
        'name: x\nmirror_of: profile.yaml',
        'a: [',
        'name: x',
        '!!int ""',
        '!!timestamp x',
        '!!bool x',
        '[' * 5000,
        'name: [x]\nzones: []',
        'name: x\nmirror_of: 3',
        'name: x\nzones: [{name: [a], kind: road, cone: [0, 0, 5]}]',
        f'name: x\nzones: [{{name: a, kind: road, cone: [0, 0, 1{400 * "0"}]}}]',
        'name: x\nzones: [{name: a, kind: road, cone: [0, 0, 5], addw_area: .inf}]',
    ],
)
def test_a_profile_that_is_none_is_refused_with_its_path(tmp_path, text):
    path = tmp_path / 'profile.yaml'
    path.write_text(text)
    with pytest.raises(ValueError, match=r'profile\.yaml'):
        load_zones(path)


@pytest.mark.parametrize(
    'text, named',
    [
        ('name: x\nheadshare: {azimuth: 0.8}\nzones: [{name: a, kind: road, cone: [0, 0, 5]}]', 'headshare'),
        ('name: x\nhead_share: {azimut: 0.8}\nzones: [{name: a, kind: road, cone: [0, 0, 5]}]', 'azimut'),
        (f'name: x\nhead_share: {{azimuth: 1}}\nmirror_of: {CONFIG}/zones_passenger_car_lhd.yaml', 'head_share'),
    ],
)
def test_a_key_of_a_profile_that_would_have_no_effect_is_refused_by_name(tmp_path, text, named):
    """A head_share that is misspelt would be 1, and that of a mirrored profile is the other's."""
    path = tmp_path / 'profile.yaml'
    path.write_text(text)
    with pytest.raises(ValueError, match=rf"profile\.yaml: .*unknown keys \['{named}'\]"):
        load_zones(path)


def test_a_profile_is_found_by_its_name_from_any_folder_or_by_its_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'own.yaml').write_text('name: mine\nzones: [{name: ahead, kind: road, cone: [0, 0, 5]}]')
    assert find_zones('passenger_car_rhd').name == 'passenger_car_rhd'
    assert find_zones('own.yaml').name == 'mine'
    with pytest.raises(ValueError, match='shipped are passenger_car_lhd, passenger_car_rhd; give your own by its path'):
        find_zones('truck')


def test_profiles_of_a_sourced_workspace_are_found_without_ros(tmp_path, monkeypatch):
    (tmp_path / 'share/c2f_head_pose/config').mkdir(parents=True)
    (tmp_path / 'share/c2f_head_pose/config/zones_bus.yaml').write_text('name: bus\nzones: [{name: ahead, kind: road, cone: [0, 0, 5]}]')
    monkeypatch.setenv('AMENT_PREFIX_PATH', f'/opt/ros/jazzy:{tmp_path}')
    assert find_zones('bus').name == 'bus'


def test_two_profiles_that_mirror_each_other_are_refused(tmp_path):
    (tmp_path / 'one.yaml').write_text('name: one\nmirror_of: two.yaml')
    (tmp_path / 'two.yaml').write_text('name: two\nmirror_of: one.yaml')
    with pytest.raises(ValueError, match='must name a profile with zones'):
        load_zones(tmp_path / 'one.yaml')


@pytest.mark.parametrize('head_share', [(1.0, 1.0), (0.8, 0.6)])
def test_the_outline_runs_along_the_edge(head_share):
    """A step towards the middle is inside the zone, a step outwards is not: for polygons and for a cone."""
    square = Zone('square', 'away', ((-60, -20), (-60, 20), (-20, 20), (-20, -20)))
    zones = ZoneMap('test', (Zone('cone', 'road', cone_deg=(10, 5, 12)), square), head_share)
    for name in ('cone', 'square'):
        middle = zones.centre(name)
        outline = zones.outline(name)
        assert outline[0] == pytest.approx(outline[-1])
        assert all(zones.zone_of(edge + 0.01 * (middle - edge)) == name for edge in outline)
        assert all(zones.zone_of(edge - 0.01 * (middle - edge)) != name for edge in outline)
