"""SIGKILL in a mixed load: nothing is left, answers are right or typed errors. `kills.py` does more of it."""

from pathlib import Path

import pytest

from tests.cluster.kills import VICTIMS, kill_once


@pytest.mark.timeout(240)
@pytest.mark.parametrize("victim", VICTIMS)
def test_a_killed_process_takes_only_what_was_its_own(victim: str, tmp_path: Path) -> None:
    print(kill_once(victim, 0, tmp_path))  # Shown with a failure.
