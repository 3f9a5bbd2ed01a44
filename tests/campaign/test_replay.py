"""A seed's run is the same in every process, whatever strings hash to there."""

import os
import subprocess
import sys

SEEDS = 24
DIGESTS = f"""
from raysim.journal import Journal, Level
from raysim.tape import SeededTape
from raysim.testing.campaign import CAMPAIGN
from raysim.testing.case import Case
from raysim.testing.running import run_case

for seed in range({SEEDS}):
    case = Case.sampled(CAMPAIGN, SeededTape(seed), seed)
    print(run_case(CAMPAIGN, case, Journal(Level.ALL, keep=False)).digest)
"""


def digests(hash_seed):
    environment = {**os.environ, "PYTHONHASHSEED": hash_seed}
    command = [sys.executable, "-c", DIGESTS]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout.split()


def test_runs_of_the_campaign_are_the_same_in_fresh_processes():
    one = digests("1")
    assert len(set(one)) == SEEDS
    assert digests("2") == one
