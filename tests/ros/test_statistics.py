from c2f_head_pose.ros.statistics import LOST, OVERTAKEN, Answer, Statistics


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def filled(clock: Clock) -> Statistics:
    """Images at 100, 100.5, 101, 101.5, 102 s, answered at once in 10, 20, 30, 40, 50 ms; none in the last two has a face."""
    statistics = Statistics(clock)
    for number in range(5):
        clock.now = 100 + number / 2
        statistics.count_image()
        statistics.count_answer(
            Answer(
                faces=int(number < 3),
                faces_in_region=int(number < 3),
                processing_ms=10.0 * (number + 1),
                age_ms=1.0 + number,
                latency_ms=None if number < 3 else 5.0,
                stage_ms={'detect': float(number)},
                stage_cpu_ms={'detect': 50.0},
            )
        )
    return statistics


def test_rates_and_percentiles_are_of_the_window():
    """Four intervals of half a second: 2 Hz. Of 10..50 the 99th percentile is 40 + 0.96 * 10 = 49.6.

    Four answers after the first spent 50 ms each in the two seconds since: 200 / 2000 = 10 % of a core.
    """
    values = filled(Clock()).values()
    assert values['image rate (Hz)'] == values['answer rate (Hz)'] == '2.0'
    assert values['processing (ms: median, p99, worst)'] == '30.0, 49.6, 50.0'
    assert values['stamp to publish (ms: median, p99, worst)'] == '5.0, 5.0, 5.0'
    assert values['age when taken up (ms: median, p99, worst)'] == '3.0, 5.0, 5.0'
    assert values['stage detect (ms: median)'] == '2.00'
    assert values['stage detect (% of a core)'] == '10.0'
    assert values['last image (s ago)'] == '0.0'
    assert values['faces'] == '0'


def test_what_is_older_than_the_window_is_forgotten_but_counted():
    clock = Clock()
    statistics = filled(clock)
    clock.now = 113.0
    assert statistics.last_answer is None
    values = statistics.values()
    assert (values['images'], values['answered'], values['image rate (Hz)']) == ('5', '5', '0.0')
    assert values['last image (s ago)'] == '11.0'
    assert 'faces' not in values


def test_the_time_without_an_answer_begins_with_the_last_answer():
    clock = Clock()
    assert Statistics(clock).unanswered_s == 0.0
    statistics = filled(clock)
    clock.now = 113.0
    assert statistics.unanswered_s == 11.0
    statistics.count_bad_image('bad image', 'why')
    assert statistics.unanswered_s == 11.0


def test_three_failures_in_a_row_are_a_state_and_one_answer_ends_it():
    statistics = Statistics(Clock())
    for number in range(3):
        assert not statistics.model_failing, number
        statistics.count_failure('estimator failed', 'why')
    assert statistics.model_failing and not statistics.images_bad
    statistics.count_answer(Answer(0, 0, 1.0))
    assert not statistics.model_failing
    assert statistics.dropped == {'estimator failed': 3}


def test_images_that_were_lost_are_counted_apart_from_those_that_were_overtaken_and_are_no_arrivals():
    """10 Hz for 5 s, of which every fifth image is overtaken; an outage of 3 s with 30 images is noticed at its end, with the next image.

    Of the 80 sent until then 30 were lost and 10 overtaken; the 50 that came have a rate of 49 intervals in 4.9 s. 10 s later all is old.
    """
    clock = Clock()
    statistics = Statistics(clock)
    for number in range(50):
        clock.now = 100 + number / 10
        statistics.count_image()
        if number % 5 == 0:
            statistics.count_drop(OVERTAKEN)
    assert statistics.missed == (0.2, 0.0)
    clock.now = 108.0
    statistics.count_drop(LOST, 30)
    assert statistics.missed == (10 / 80, 30 / 80)
    assert statistics.values()['image rate (Hz)'] == '10.0'
    assert statistics.dropped == {OVERTAKEN: 10, LOST: 30}
    clock.now = 118.5
    assert statistics.missed == (0.0, 0.0)
