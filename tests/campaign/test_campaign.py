"""The shipped protocol campaign, as much of it as a test run has time for. `raysim hunt` goes on."""

import pytest

from raysim.testing.campaign import CAMPAIGN
from raysim.testing.hunt import CHUNK, run_part

SEEDS = 480
"""About 20 s on a busy core."""


@pytest.mark.parametrize("first", range(0, SEEDS, CHUNK))
def test_random_programs_under_sampled_faults_end_right_and_leave_nothing(first):
    failed = run_part(CAMPAIGN, first, CHUNK).failed
    assert not failed, "\n\n".join(bundle.describe() for bundle in failed)
