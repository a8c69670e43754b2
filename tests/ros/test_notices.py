from c2f_head_pose.ros.log import Notices


class Log:
    def __init__(self) -> None:
        self.lines = []
        self.info = self.warning = self.error = self.lines.append


def test_a_repeated_notice_waits_for_its_period_and_states_how_often_it_was_held_back():
    log, now = Log(), [0.0]
    notices = Notices(log, lambda: now[0])
    for now[0] in (0.0, 1.0, 4.9, 5.0):
        notices.throttled('key', f'at {now[0]}')
    assert log.lines == ['at 0.0', 'at 5.0 (2 more like it since)']


def test_once_means_once_until_it_is_forgotten():
    log = Log()
    notices = Notices(log)
    assert [notices.once('key', 'text') for _ in range(3)] == [True, False, False]
    assert notices.forget('key') and not notices.forget('key')
    assert notices.once('key', 'text')
    assert log.lines == ['text', 'text']
