import threading

import pytest

from c2f_head_pose.ros.mailbox import NewestWorker


def held_worker():
    """A worker, the items it has done, an event set when one is in work, and the event that each waits for."""
    done, entered, release = [], threading.Event(), threading.Event()

    def work(item):
        entered.set()
        assert release.wait(10)
        done.append(item)

    worker = NewestWorker(work, 'test', pytest.fail)
    return worker, done, entered, release


def test_only_the_newest_item_is_worked_on_while_one_is_in_work():
    """While 0 is in work 1, 2 and 3 arrive: 2 and 3 each replace one that waits, and only 3 is taken."""
    done, entered, release, finished = [], threading.Event(), threading.Event(), threading.Event()

    def work(item):
        entered.set()
        assert release.wait(10)
        done.append(item)
        if item == 3:
            finished.set()

    worker = NewestWorker(work, 'test', pytest.fail)
    assert worker.put(0) is None
    assert entered.wait(10)
    assert [worker.put(item) for item in (1, 2, 3)] == [None, 1, 2]
    release.set()
    assert finished.wait(10)
    worker.close()
    assert done == [0, 3]


def test_work_that_fails_is_reported_and_the_next_item_is_taken():
    failures, taken = [], threading.Semaphore(0)

    def work(item):
        taken.release()
        if item == 0:
            raise KeyError('silence_timeout_s')

    worker = NewestWorker(work, 'test', failures.append)
    for item in (0, 1):
        worker.put(item)
        assert taken.acquire(timeout=10)
    assert worker.close() and worker.busy_s == 0
    assert [repr(failure) for failure in failures] == ["KeyError('silence_timeout_s')"]


def test_an_offered_item_never_replaces_one_that_waits_and_is_itself_replaced():
    """While 0 is in work: 1 is offered and waits; 2 replaces it; 3 is offered and dropped."""
    worker, done, entered, release = held_worker()
    worker.put(0)
    assert entered.wait(10)
    worker.offer(1)
    assert worker.put(2) == 1
    worker.offer(3)
    release.set()
    deadline = threading.Event()
    while len(done) < 2 and not deadline.wait(0.01):
        pass
    worker.close()
    assert done == [0, 2]


def test_close_waits_for_the_item_in_work_and_drops_the_waiting_one():
    worker, done, entered, release = held_worker()
    worker.put('in work')
    assert entered.wait(10)
    worker.put('waiting')
    closer = threading.Thread(target=worker.close)
    closer.start()
    release.set()
    closer.join(10)
    worker.close()
    assert done == ['in work']


def test_close_with_a_limit_leaves_an_item_that_does_not_end_and_says_so():
    worker, done, entered, release = held_worker()
    assert worker.busy_s == 0
    worker.put('in work')
    assert entered.wait(10)
    assert not worker.close(0.01)
    assert worker.busy_s >= 0.01
    release.set()
    assert worker.close() and worker.busy_s == 0
    assert done == ['in work']
