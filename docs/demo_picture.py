"""Makes docs/demo.gif of the video that `make demo` writes: python docs/demo_picture.py demo_out/annotated.mp4. Needs ffmpeg."""

import subprocess
import sys
from pathlib import Path

GIF = Path(__file__).with_name('demo.gif')
LOOK = 'fps=10,crop=480:360:110:40,scale=400:-1:flags=lanczos'
"""Ten images a second of the middle of the recording, 400 pixels wide."""

subprocess.run(
    [
        'ffmpeg',
        '-y',
        '-loglevel',
        'error',
        '-i',
        sys.argv[1],
        '-vf',
        f'{LOOK},split[a][b];[a]palettegen=max_colors=96[p];[b][p]paletteuse=dither=bayer:bayer_scale=4',
        str(GIF),
    ],
    check=True,
)
print(GIF, GIF.stat().st_size // 1000, 'kB')
