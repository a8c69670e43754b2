"""Databases (.db3) with a write-ahead log or a rollback journal beside them."""

import shutil
import sqlite3

import pytest
from bag_making import START_NS, image_message, write_bag
from both_readers import read
from field_recordings import IMAGE_TYPE, PERIOD_NS, STORE, edit_metadata, images, killed_recorder, picture


def test_images_in_a_write_ahead_log_are_read_with_the_database_and_nothing_is_left_beside_it(tmp_path):
    """4 images are in the database, 8 only in its log: 12 in all."""
    path = killed_recorder(tmp_path, 4, 8)
    (path.parent / 'writer.db3-shm').unlink(missing_ok=True)
    before = {file.name: file.read_bytes() for file in path.parent.iterdir()}
    found, said, _ = read(path)
    assert found == [*range(12)]
    assert any('writer.db3-wal is read with it' in note for note in said)
    assert {file.name: file.read_bytes() for file in path.parent.iterdir()} == before


def test_a_write_ahead_log_in_a_folder_that_cannot_be_written_to_is_read_from_a_copy(tmp_path):
    """SQLite needs a file of shared memory beside the log; a folder of that name keeps it from making one, whoever runs this."""
    path = killed_recorder(tmp_path, 3, 5)
    (path.parent / 'writer.db3-shm').unlink(missing_ok=True)
    (path.parent / 'writer.db3-shm').mkdir()
    assert read(path)[0] == [*range(8)]


def test_a_log_that_was_partly_written_back_is_read_on_top_of_the_database(tmp_path):
    """After a checkpoint the log begins anew, with frames of the earlier round behind the new ones: they are stale, not damaged."""

    def checkpoint(database):
        database.execute('PRAGMA wal_checkpoint(RESTART)').fetchall()
        database.execute(
            'INSERT INTO messages (topic_id, timestamp, data) SELECT 1, ?, data FROM messages WHERE id = 1', (START_NS + 99 * PERIOD_NS,)
        )
        database.commit()

    assert read(killed_recorder(tmp_path, 2, 6, checkpoint))[0] == [*range(8), 0]


@pytest.mark.parametrize('damage', ['cut', 'flipped', 'header', 'short'])
def test_a_damaged_write_ahead_log_is_named_and_what_comes_before_is_read(tmp_path, damage):
    path = killed_recorder(tmp_path, 4, 8)
    log = path.with_name('writer.db3-wal')
    data = bytearray(log.read_bytes())
    if damage == 'cut':
        data = data[: len(data) * 2 // 3 - 100]
    elif damage == 'flipped':
        data[len(data) * 2 // 3] ^= 0xFF
    elif damage == 'header':
        data[20] ^= 1
    else:
        data = data[:20]
    log.write_bytes(data)
    found, _, said = read(path, damaged=True)
    assert found == [*range(len(found))] and (4 < len(found) < 12 if damage in ('cut', 'flipped') else len(found) == 4)
    assert 'writer.db3-wal is damaged' in said


def test_a_database_copied_without_its_write_ahead_log_is_missed_by_its_metadata(tmp_path):
    """The database alone holds 4 messages and is intact; metadata.yaml counts 12."""
    path = write_bag(tmp_path / 'writer', images(range(4)), 'sqlite3')
    edit_metadata(path, message_count=12)
    found, _, damage = read(path, damaged=True)
    assert found == [0, 1, 2, 3] and 'holds 4 messages, its metadata.yaml counts 12' in damage


def test_a_transaction_in_a_rollback_journal_is_undone_as_sqlite_does(tmp_path):
    """The journal holds the pages as they were with 5 images; the sixth was half written when the recorder was killed."""
    source = write_bag(tmp_path / 'writer', images(range(5)), 'sqlite3') / 'writer.db3'
    database = sqlite3.connect(source, isolation_level=None)
    database.execute('PRAGMA journal_mode = DELETE')
    database.execute('PRAGMA cache_size = 1')
    database.execute('BEGIN')
    for k in range(5, 40):  # more than the cache holds, so that pages are written before the commit
        raw = bytes(STORE.serialize_cdr(image_message(STORE, picture(k), START_NS + k, 'mono8'), IMAGE_TYPE))
        database.execute('INSERT INTO messages (topic_id, timestamp, data) VALUES (1, ?, ?)', (START_NS + k, raw))
    killed = tmp_path / 'killed'
    killed.mkdir()
    for file in source.parent.glob('writer.db3*'):
        shutil.copy(file, killed / file.name)
    database.execute('ROLLBACK')
    database.close()
    assert (killed / 'writer.db3-journal').stat().st_size > 0
    found, said, _ = read(killed / 'writer.db3')
    assert found == [0, 1, 2, 3, 4] and any('journal' in note for note in said)


def test_a_database_whose_path_has_characters_of_a_uri_is_opened(tmp_path):
    folder = shutil.copytree(write_bag(tmp_path / 'bag', images(range(3)), 'sqlite3'), tmp_path / 'drive 50% #3?')
    assert read(folder / 'bag.db3')[0] == [0, 1, 2]
