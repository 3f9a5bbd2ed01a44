"""Runs of the campaign that find a bug that was mended: found by a hunt, or written for it, shrunk, and kept here.

Each is named for the mutant that takes the mend out again, under which it has to fail; what comes after a
hyphen tells several of one mutant apart.
"""

from pathlib import Path

import pytest

from raysim.testing.bundle import read_bundle
from raysim.testing.replay import replay
from raysim.testing.target import find_target
from tests.mutants.catalogue import MUTANTS
from tests.mutants.mutate import without

FAILURES = sorted((Path(__file__).parent / "failures").glob("*.json"))
failures = pytest.mark.parametrize("path", FAILURES, ids=lambda path: path.stem)


def findings_of(path):
    bundle = read_bundle(path)
    verdict, _ = replay(bundle, find_target(bundle.target))
    return verdict.findings


@failures
def test_a_failure_that_was_mended_stays_mended(path):
    assert findings_of(path) == []


@failures
def test_a_failure_comes_back_without_its_mend(path):
    (mutant,) = [mutant for mutant in MUTANTS if mutant.name == path.stem.partition("-")[0]]
    with without(mutant):
        assert findings_of(path)
