"""Memory of images is kept from one to the next."""

import subprocess
import sys

import pytest

pytest.importorskip('rclpy', reason='needs rclpy')

CHILD = """
import resource, sys, threading
import numpy as np
from std_msgs.msg import Header
from c2f_head_pose import memory
from c2f_head_pose.ros import messages

def work():
    picture = np.full((720, 1280, 3), 7, np.uint8)
    for number in range(20):
        if number == 5:
            before = resource.getrusage(resource.RUSAGE_THREAD).ru_minflt
        canvas = picture.copy()
        copies = messages.image(Header(), canvas), messages.image(Header(), canvas)
        del canvas, copies
    print(resource.getrusage(resource.RUSAGE_THREAD).ru_minflt - before)

if sys.argv[1] == 'kept':
    memory.keep_image_memory()
thread = threading.Thread(target=work)
thread.start()
thread.join()
"""


@pytest.mark.skipif(not sys.platform.startswith('linux'), reason='counts the faults of a thread')
def test_images_do_not_touch_new_pages_once_their_memory_is_kept():
    """A 1280x720 colour image has 675 pages of 4 KB: 15 rounds of three copies touch 45 times as many anew where nothing is kept.

    All that is allowed is one copy's, for what else the interpreter does.
    """
    done = subprocess.run([sys.executable, '-c', CHILD, 'kept'], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 675
