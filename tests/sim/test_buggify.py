"""Marked places of the protocol take their rare branch where a run asks for it, and nowhere else."""

import time
from pathlib import Path

import pytest

import raysim as ray
from raysim.api.session import current_world
from raysim.faults import Buggified
from raysim.tape import Draws, SeededTape
from raysim_sim.buggify import Buggify

ALWAYS = Buggified(places=1.0, strikes=0.5)


@ray.remote
def make(number, *parts):
    time.sleep(0.001 * (number % 3))
    return bytes(200_000) if number % 4 == 0 else number


@ray.remote
def first(parts):
    return ray.get(parts)[0]


def places(repository: Path) -> set[str]:
    found = set()
    for file in (repository / "raysim/protocol").rglob("*.py"):
        for part in file.read_text("utf-8").split('buggify("')[1:]:
            found.add(part.partition('"')[0])
    return found


def program():
    refs = [make.remote(number) for number in range(30)]
    refs += [make.remote(number, refs[number]) for number in range(30)]
    refs += [first.remote([ref]) for ref in refs[:8]]
    ray.get(refs)
    return len(refs)


def test_without_being_asked_no_place_strikes(init):
    init(nodes=3)
    program()
    assert current_world().buggify is None


def test_a_run_of_rare_branches_ends_right_and_leaves_nothing_behind(init):
    init(nodes=3, world={"buggify": ALWAYS, "order": "random"})
    assert program() == 68
    current_world().converge(100)


def test_every_place_strikes_somewhere(init, repository):
    struck = set()
    for seed in range(6):
        init(nodes=4, seed=seed, world={"buggify": ALWAYS, "network": {"bandwidth": "10Mbit/s"}})
        program()
        time.sleep(20)
        struck |= set(current_world().buggify.struck)
        ray.shutdown()
    known = places(repository)
    assert len(known) >= 12
    assert struck <= known
    # A part of an object that does not come, and a node that does not answer, are not in every program.
    rare = {"raylet.pull_last_part_first", "raylet.pull_from_last_holder", "gcs.give_up_early"}
    assert known - struck <= rare


def test_places_are_on_or_off_for_a_whole_run():
    tape = SeededTape(1)
    buggify = Buggify(Buggified(places=0.5, strikes=1.0), Draws(tape, "p"), Draws(tape, "s"))
    names = [f"place {number}" for number in range(40)]
    once = [buggify.strikes(name) for name in names]
    assert once == [buggify.strikes(name) for name in names]
    assert 10 < sum(once) < 30
    assert buggify.struck == {name: 2 for name, on in zip(names, once, strict=True) if on}


@pytest.mark.parametrize("value", [1, "yes", None])
def test_what_is_no_rate_is_refused(init, value):
    with pytest.raises(TypeError, match="give True, or a"):
        init(world={"buggify": value})
