"""Makes docs/demo.jpg out of what `make demo` left: python docs/demo_picture.py demo_out/annotated.mp4."""
import sys
from pathlib import Path

import cv2
import numpy as np

SHOWN = ((0.05, 0.22, 0.44), (0.56, 0.72, 0.82))  # parts of the recording: straight, left, right; up, down, tilted

video = cv2.VideoCapture(sys.argv[1])
frames = [video.read()[1] for _ in range(int(video.get(cv2.CAP_PROP_FRAME_COUNT)))]
rows = [np.hstack([frames[int(part * len(frames))][40:400, 110:590] for part in row]) for row in SHOWN]
cv2.imwrite(str(Path(__file__).with_name('demo.jpg')), np.vstack(rows), [cv2.IMWRITE_JPEG_QUALITY, 85])
