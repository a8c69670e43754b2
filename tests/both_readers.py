"""Reads recordings by evaluation and by replay, which must agree."""

from contextlib import suppress

from c2f_head_pose.recordings.bagfile import BagFile
from c2f_head_pose.recordings.reader import Notes, UnreadableImage, read_frames
from c2f_head_pose.recordings.topics import choose_topics

Replay = None

with suppress(ImportError):  # without ROS evaluation alone is tested
    from c2f_head_pose.ros.replay.recording import Recording as Replay


def read(path, damaged=False, **topics):
    """The first pixel of each image, by evaluation and by replay, which must agree; then the notes and the damage.

    Args:
        path: of the recording.
        damaged: whether it is; otherwise damage is a failure.
        **topics: for choose_topics.
    """
    notes = Notes()
    with BagFile(path) as bag:
        frames = [*read_frames(bag, choose_topics(bag, **topics), notes)]
        found = [int(frame.image.flat[0]) for frame in frames if not isinstance(frame, UnreadableImage)]
        said, damage = [*bag.notes, *notes.counts], bag.damage
    assert (damage is not None) == damaged, damage
    if Replay is not None:
        replay = Replay(path, topics.get('image', ''))
        played = [int(e.message.data[0]) for e in replay.entries() if e.topic == replay.output]
        assert (played, replay.damage) == (found, damage)
        replay.close()
    return found, said, damage
