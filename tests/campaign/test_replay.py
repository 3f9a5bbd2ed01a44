"""A run is the same in every process, whatever ran there before and however strings hash. `make replays` has 200."""

from tests.campaign.replays import again, first_time

RUNS = 8
"""About 15 s on a free core."""


def test_runs_that_fail_and_runs_that_pass_are_the_same_in_fresh_processes():
    runs = list(first_time(RUNS))
    assert len({result.digest for _, result in runs}) == len(runs) == RUNS
    assert sum(bool(result.cause) for _, result in runs) == RUNS // 2
    for run, result in runs:
        assert again(run) == result, run
