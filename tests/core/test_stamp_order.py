"""The rules by which the node and evaluate_bag leave out late images, and restart where stamps go back."""

from c2f_head_pose.stamp_order import StampOrder


def follow(stamps):
    """What becomes of images with these stamps, in seconds: 'late', or how each follows the last one that was not."""
    order = StampOrder()
    return ['late' if order.late(stamp) else order.take(stamp).value for stamp in stamps]


def test_an_image_that_was_overtaken_is_late_and_so_are_several_as_from_a_decoder_of_several_threads():
    assert follow([1.0, 1.2, 1.1, 1.3]) == ['next', 'next', 'late', 'next']
    assert follow([1.0, 1.1, 1.2, 1.5, 1.3, 1.4, 1.6]) == ['next'] * 4 + ['late'] * 2 + ['next']
    assert follow([1.1, 1.0, 1.2]) == ['next', 'late', 'next']


def test_stamps_that_go_back_by_a_second_begin_anew_and_by_less_after_three_late_images():
    assert follow([10.0, 11.0, 10.0, 10.1]) == ['next', 'next', 'back', 'next']
    assert follow([10.0, 11.0, 10.5, 10.6, 10.7, 10.8, 10.9]) == ['next', 'next'] + ['late'] * 3 + ['back', 'next']


def test_a_clip_that_is_played_in_a_loop_loses_no_image_however_short_it_is():
    """Joined at its second image, it loses the first two once."""
    assert follow(3 * [1.0, 1.1]) == ['next', 'next'] + 2 * ['back', 'next']
    assert follow(3 * [1.0, 1.1, 1.2, 1.3]) == ['next'] * 4 + 2 * ['back', 'next', 'next', 'next']
    assert follow([1.1, 1.2] + 2 * [1.0, 1.1, 1.2]) == ['next', 'next', 'late', 'late', 'same', 'back', 'next', 'next']


def test_a_second_publisher_of_the_same_recording_that_lags_behind_restarts_it_once():
    """The second begins when the first is at 1.5; its images are older by 0.5 s from then on."""
    assert follow([1.0, 1.1, 1.2, 1.3, 1.4, 1.5, 1.0, 1.6, 1.1, 1.7, 1.2]) == ['next'] * 6 + ['back', 'next', 'late', 'next', 'late']


def test_stamps_stand_still_from_the_third_equal_one_until_three_in_a_row_are_newer():
    """A single duplicate is none. A clock of whole seconds at 4 Hz stands still from its third image on, and stays so."""
    assert follow([1.0, 1.1, 1.1, 1.2, 1.2, 1.3]) == ['next', 'next', 'same', 'next', 'same', 'next']
    assert follow([5.0, 5.0, 5.0, 5.0, 5.1, 5.2, 5.3]) == ['next', 'same', 'still', 'still', 'still', 'still', 'next']
    assert follow([7.0] * 4 + [8.0] * 4 + [9.0] * 4) == ['next', 'same'] + ['still'] * 10
    assert follow([7.0] * 4 + [1.0, 1.1]) == ['next', 'same', 'still', 'still', 'back', 'next']
