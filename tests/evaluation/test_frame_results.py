"""What an evaluation makes of poses and truth image by image, without a network."""

from contextlib import ExitStack
from dataclasses import replace

import numpy as np
import pytest
from attention_scenes import CONFIG, LHD, head
from bag_making import CAMERA, FRAME_ID, START_NS

from c2f_head_pose.attention.zones import azimuth_elevation_deg
from c2f_head_pose.evaluation.frame_results import FrameResults
from c2f_head_pose.evaluation.options import Options
from c2f_head_pose.evaluation.sources import Answer
from c2f_head_pose.recordings.reader import Frame
from c2f_head_pose.turn import turn_rotation_back


def results(folder, poses, truth=None, frames=1, camera=CAMERA, **options):
    """The results of images at 10 Hz with the same poses in each."""
    image = np.zeros((CAMERA.height, CAMERA.width), np.uint8)
    with ExitStack() as files:
        run = FrameResults(folder, Options(video=False, poses=False, **options), truth, files)
        for k in range(frames):
            stamp_ns = START_NS + k * 100_000_000
            run.take(Answer(Frame(k, stamp_ns, stamp_ns, FRAME_ID, image, camera, None), poses, [np.nan] * len(poses)))
    return run


@pytest.mark.parametrize('rotation_deg', [0, 90, 180, 270])
@pytest.mark.parametrize('zone', ['road_ahead', 'driver_mirror', 'lap'])
def test_the_zones_of_a_turned_camera_are_those_of_the_upright_camera(tmp_path, rotation_deg, zone):
    """Poses stay in the camera's frame, so a head that rests on a zone has another rotation in each camera, but points at the same zone."""
    upright = head(*azimuth_elevation_deg(LHD.centre(zone)))
    turned = replace(upright, R_cam_head=turn_rotation_back(upright.R_cam_head, rotation_deg))
    run = results(tmp_path, [turned], frames=20, attention=str(CONFIG / 'zones_passenger_car_lhd.yaml'), image_rotation=rotation_deg)
    assert {span.zone for span in run.attention.spans()} == {zone}
