"""How long a run still takes: schedules and corrections worked out by hand."""

import pytest

from assay.pipeline.progress import DOUBT, Job, Progress, epochs_in, makespan


def jobs(*rows: tuple) -> dict[int, Job]:
    """Jobs of rows (seconds, jobs before it), numbered from 0; all of the rule train."""
    return {number: Job("train", seconds, after=frozenset(after)) for number, (seconds, *after) in enumerate(rows)}


@pytest.mark.parametrize(
    ("cores", "seconds"),
    [
        (1, 21),
        (2, 12),  # 6 and 3 on one core; 5, 4 and 3 on the other
        (3, 8),  # 6; 5 and 3; 4 and 3
        (9, 6),
    ],
)
def test_jobs_without_order_fill_the_cores(cores, seconds):
    assert makespan(jobs((6,), (5,), (4,), (3,), (3,)), cores) == seconds


def test_jobs_wait_for_those_before_them_and_the_longest_way_goes_first():
    found = jobs((1,), (1,), (1,), (4, 0), (1, 3, 2))
    # 0, then 3, then 4; 1 and 2 beside them.
    assert makespan(found, 2) == 6
    assert makespan(found, 1) == 8


def test_what_is_done_is_not_waited_for_and_what_runs_has_its_core():
    found = jobs((9,), (4, 0), (3,))
    del found[0]
    assert makespan(found, 1, running=[2]) == 7
    assert makespan(found, 2, running=[2]) == 4


def test_a_job_takes_its_cores_and_no_more_than_there_are():
    wide = {0: Job("train", 5, cores=2), 1: Job("train", 3), 2: Job("train", 3)}
    assert makespan(wide, 2) == 8
    assert makespan({0: Job("train", 5, cores=16)}, 2) == 5


def test_nothing_takes_no_time():
    assert makespan({}, 2) == 0


def test_the_prediction_holds_until_something_is_seen():
    progress = Progress(jobs((60,), (60,), (30, 0, 1)), cores=2)
    assert progress.seconds_left(0) == 90
    progress.start(0, 0)
    progress.start(1, 0)
    assert progress.seconds_left(40) == 50


def test_what_was_seen_corrects_what_is_left():
    progress = Progress(jobs((60,), (60,)), cores=1)
    progress.start(0, 0)
    progress.finish(0, 180)
    factor = (DOUBT + 180) / (DOUBT + 60)
    # Its rule is corrected twice: all jobs give the prior for those of the rule.
    assert progress.seconds_left(180) == pytest.approx(60 * (DOUBT * factor + 180) / (DOUBT + 60))


def test_a_rule_is_corrected_by_its_own_jobs_more_than_by_others():
    progress = Progress({0: Job("train", 500), 1: Job("train", 100), 2: Job("report", 100)}, cores=1)
    progress.start(0, 0)
    progress.finish(0, 1000)
    progress.start(1, 1000)
    left = progress.seconds_left(1000)
    assert 380 < left < 400
    progress.finish(1, 1200)
    progress.start(2, 1200)
    progress.finish(2, 1250)
    assert progress.seconds_left(1250) == 0


def test_a_running_job_that_takes_too_long_counts_before_it_ends():
    progress = Progress(jobs((100,), (100,)), cores=1)
    progress.start(0, 0)
    assert progress.seconds_left(100) == 100
    assert progress.seconds_left(400) > 250


def test_a_short_first_job_does_not_sway_the_rest():
    progress = Progress({0: Job("world", 0.1), 1: Job("train", 600)}, cores=1)
    progress.start(0, 0)
    progress.finish(0, 3)
    assert 600 < progress.seconds_left(3) < 750


def test_without_a_prediction_nothing_is_said():
    progress = Progress()
    progress.start(1, 0)
    progress.finish(1, 5)
    assert progress.seconds_left(5) is None


def test_jobs_that_were_not_foreseen_change_nothing():
    progress = Progress(jobs((10,)), cores=1)
    progress.start(7, 0)
    progress.finish(7, 100)
    assert progress.seconds_left(100) == 10


def test_the_epochs_of_a_log_are_the_latest_of_each_network_and_seed():
    text = (
        "10:00:00 a seed 0: epoch 1 of 4, loss 2.0\n10:00:01 a seed 1: epoch 1 of 4, loss 2.0\n"
        "10:00:02 a seed 0: epoch 4 of 4, loss 1.0\n10:00:03 b seed 0: epoch 2 of 8, loss 1.0\n"
        "10:00:04 b seed 0: epoch 3 of 8, lo"
    )
    assert epochs_in(text) == (4 + 1 + 2, "b seed 0: epoch 2 of 8")
    assert epochs_in("nothing yet") == (0, "")


def test_a_training_is_known_by_its_epochs_and_says_what_others_take():
    progress = Progress({1: Job("train", 100, epochs=10), 2: Job("train", 100, epochs=10)}, cores=1)
    progress.start(1, 0)
    progress.trained(1, 0)
    assert progress.seconds_left(10) == 190  # as foreseen, as long as no epoch is done
    progress.trained(1, 5)
    # Of 20 s instead of 100, with 20 s beside that are as foreseen: a third for all jobs, and with that 2/9 for trainings.
    assert DOUBT == 20
    assert progress.seconds_left(10) == pytest.approx(10 + 100 * 2 / 9)
    progress.trained(1, 10)
    assert 0 < progress.shares[1] < 1  # something is left to be written
    progress.finish(1, 20)
    assert progress.shares == {}
    progress.trained(7, 3)  # not one of the run's
    assert progress.shares == {}
