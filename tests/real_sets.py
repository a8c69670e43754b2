"""Small folders in the layout of real data sets."""

import struct

import cv2
import numpy as np

from c2f_head_pose import geometry
from training.synthetic import stand_in


def write_biwi(folder, R=((1, 0, 0), (0, 1, 0), (0, 0, 1)), centre_mm=(0, 0, 1000), shift_mm=(0, 0, 0), picture=None):
    """One frame of a 4x2 depth picture: one empty pixel, 900 and 901 mm, four empty, 902 mm."""
    folder.mkdir(parents=True, exist_ok=True)
    calibration = '500 0 320\n0 500 240\n0 0 1\n\n0 0 0 0\n\n1 0 0\n0 1 0\n0 0 1\n\n{} {} {}\n\n640 480\n'
    (folder / 'rgb.cal').write_text(calibration.format(*shift_mm))
    (folder / 'depth.cal').write_text(calibration.format(0, 0, 0))
    (folder / 'frame_00001_pose.txt').write_text('\n'.join(' '.join(map(str, row)) for row in R) + '\n\n' + ' '.join(map(str, centre_mm)))
    runs = struct.pack('<ii', 1, 2) + struct.pack('<hh', 900, 901) + struct.pack('<ii', 4, 1) + struct.pack('<h', 902)
    (folder / 'frame_00001_depth.bin').write_bytes(struct.pack('<ii', 4, 2) + runs)
    cv2.imwrite(str(folder / 'frame_00001_rgb.png'), np.full((480, 640, 3), 90, np.uint8) if picture is None else picture)


def write_boston(folder, name, pictures, ypr_deg):
    """A video and its .dat: frame, x, y, z, roll, yaw, pitch, each angle the opposite of ours."""
    folder.mkdir(parents=True, exist_ok=True)
    height, width = pictures[0].shape[:2]
    video = cv2.VideoWriter(str(folder / f'{name}.avi'), cv2.VideoWriter_fourcc(*'MJPG'), 30, (width, height))
    for picture in pictures:
        video.write(picture)
    video.release()
    rows = [f'{i + 1} 0 0 0 {-roll} {-yaw} {-pitch}' for i, (yaw, pitch, roll) in enumerate(ypr_deg)]
    (folder / f'{name}.dat').write_text('\n'.join(rows) + '\n')


def write_pointing04(folder, people, pans=(-60, -30, 0, 30)):
    """Painted heads under Pointing'04's names and boxes, a picture a pan for each person."""
    K = np.array([[300.0, 0, 150], [0, 300, 150], [0, 0, 1]])
    for person in people:
        (folder / f'Person{person:02d}').mkdir(parents=True)
        for i, pan in enumerate(pans):
            R, t = geometry.rotation_from_ypr_deg(np.array([pan, 0.0, 0.0])), np.array([0, 0, 1.0])
            image = stand_in.draw(R, t, K, 300, np.array([0, 0, -1.0]), 0.7)[0]
            path = folder / f'Person{person:02d}' / f'person{person:02d}1{i:02d}+0{pan:+d}.jpg'
            cv2.imwrite(str(path), cv2.cvtColor(image, cv2.COLOR_GRAY2BGR))
            path.with_suffix('.txt').write_text(f'{path.name}\n\nFace\n150\n150\n60\n70\n')
