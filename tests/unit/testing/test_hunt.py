"""Hunts, and what becomes of the failures that they find: replayed, shrunk, asked why, compared."""

from pathlib import Path

import msgspec
import pytest

from raysim.cli.main import run_command
from raysim.faults import parse_fault
from raysim.journal import Level
from raysim.tape import SeededTape
from raysim.testing.bundle import BundleError, bundle_of, read_bundle
from raysim.testing.case import Case, case_from_json
from raysim.testing.diff import first_difference
from raysim.testing.hunt import HuntOptions, hunt
from raysim.testing.replay import replay, trace_of
from raysim.testing.running import run_case
from raysim.testing.shrink import Shrinker
from raysim.testing.target import TargetError, find_target
from raysim.testing.why import find_event, why

BROKEN = f"{Path(__file__).parent / 'broken.py'}:forgets_retries"
FINE = f"{Path(__file__).parent / 'broken.py'}:fine"


@pytest.fixture(scope="module")
def failure(tmp_path_factory):
    """The first failure that a hunt of the broken program finds."""
    folder = tmp_path_factory.mktemp("hunt")
    progress = hunt(HuntOptions(BROKEN, seeds=200, folder=folder, stop_after=1))
    ((seed, *_),) = progress.failures.values()
    return folder / "failures" / f"seed-{seed}.json"


def test_a_failure_is_a_file_that_says_what_broke(failure):
    bundle = read_bundle(failure)
    assert bundle.findings[0].invariant == "error"
    line = "assert ray.get([once.remote() for _ in range(4)]) == [1] * 4"
    assert bundle.group == f"error: WorkerCrashedError at broken.py: {line}"
    assert any(fault.tag() == "kill_worker" for fault in bundle.case.profile.faults)
    assert f"seed {bundle.case.seed} of {BROKEN}" in bundle.describe()


def test_a_failure_replays_event_for_event(failure):
    bundle = read_bundle(failure)
    verdict, same = replay(bundle, find_target(bundle.target))
    assert same
    assert verdict.findings == bundle.findings


def test_a_failure_shrinks_to_what_it_needs(failure):
    bundle = read_bundle(failure)
    target = find_target(bundle.target)
    verdict, _ = replay(bundle, target)
    shrunk = Shrinker(target, bundle.case, verdict, seconds=30).run()
    (fault,) = shrunk.case.profile.faults
    assert fault.tag() == "kill_worker"
    assert shrunk.case.profile.nodes == 1
    assert shrunk.case.profile.knobs == {}
    assert run_case(target, shrunk.case).group == bundle.group


def test_what_a_failure_shrinks_to_fails_by_the_same_error(tmp_path):
    """Not because there can be no such cluster, and not by another assert."""
    target = find_target(BROKEN.replace("forgets_retries", "needs_all_nodes"))
    hunt(HuntOptions(target.name, seeds=20, folder=tmp_path, stop_after=1))
    bundle = read_bundle(next((tmp_path / "failures").iterdir()))
    verdict, _ = replay(bundle, target)
    shrunk = Shrinker(target, bundle.case, verdict, seconds=30).run()
    assert shrunk.case.profile.nodes == 2
    assert run_case(target, shrunk.case).group == bundle.group


def test_the_chain_behind_an_event_ends_where_the_run_began(failure):
    bundle = read_bundle(failure)
    journal = trace_of(bundle, find_target(bundle.target))
    event = find_event(journal.records, "TasksDone")
    event = event if event is not None else find_event(journal.records, "PushTasks")
    chain = why(journal, event)
    kinds = [link.record[2] for link in chain]
    assert kinds.count("send") >= 3
    numbers = [link.number for link in chain]
    assert numbers == sorted(numbers, reverse=True)
    for before, after in zip(chain[1:], chain, strict=False):
        assert before.record[0] <= after.record[0]
        if after.record[2] == "deliver":
            assert before.record[1:3] == (after.record[3][0], "send")


def test_two_runs_part_at_their_first_difference(failure):
    bundle = read_bundle(failure)
    target = find_target(bundle.target)
    later = bundle.case.profile
    later = msgspec.structs.replace(later, faults=(*later.faults, parse_fault("delay(at=2s)")))
    other = msgspec.structs.replace(bundle, case=bundle.case.changed(profile=later))
    one = trace_of(bundle, target)
    assert first_difference(one, trace_of(bundle, target)) is None
    parting = first_difference(one, trace_of(other, target))
    assert parting is not None
    assert len(parting.before) == 6
    assert parting.one != parting.other


def test_a_hunt_that_was_broken_off_goes_on(tmp_path):
    options = HuntOptions(FINE, seeds=40, folder=tmp_path, seconds=0)
    assert hunt(options).runs == 0
    part = hunt(HuntOptions(FINE, seeds=20, folder=tmp_path))
    assert (part.runs, part.next_seed, part.failures) == (20, 20, {})
    whole = hunt(HuntOptions(FINE, seeds=40, folder=tmp_path, resume=True))
    assert (whole.runs, whole.next_seed) == (40, 40)


def test_ctrl_c_ends_a_hunt_wherever_it_is_and_leaves_what_was_found(tmp_path, capsys):
    target = BROKEN.replace("forgets_retries", "swallows_ctrl_c")
    arguments = ["hunt", target, "--seeds", "30", "--out", str(tmp_path)]
    assert run_command(arguments) == 130
    out, error = capsys.readouterr()
    assert out.startswith("16 seeds in "), "those of the first part, which was done"
    assert "The same command with --resume goes on." in error
    assert run_command([*arguments, "--resume"]) == 0
    assert capsys.readouterr().out.startswith("30 seeds in ")


def test_a_hunt_does_not_go_on_as_another(tmp_path):
    hunt(HuntOptions(FINE, seeds=1, folder=tmp_path))
    with pytest.raises(ValueError, match="cannot go on as another"):
        hunt(HuntOptions(BROKEN, seeds=1, folder=tmp_path, resume=True))


def test_several_processes_find_what_one_finds(tmp_path):
    one = hunt(HuntOptions(BROKEN, seeds=48, folder=tmp_path / "one"))
    two = hunt(HuntOptions(BROKEN, seeds=48, jobs=2, folder=tmp_path / "two"))
    assert one.failures == two.failures
    assert one.failures


def test_a_hunt_tells_causes_and_exits_with_1(tmp_path, capsys):
    out = tmp_path / "found"
    assert run_command(["hunt", BROKEN, "--seeds", "48", "--out", str(out)]) == 1
    said = capsys.readouterr().out
    assert "error: WorkerCrashedError" in said
    assert "raysim shrink" in said
    assert run_command(["hunt", FINE, "--seeds", "8", "--out", str(tmp_path / "fine")]) == 0
    assert "no failure" in capsys.readouterr().out


def test_a_hunt_runs_a_simulated_test_within_the_limits_that_it_sets(tmp_path):
    """The listed fault, the order, the network and the time: as when pytest runs it."""
    progress = hunt(
        HuntOptions(BROKEN.replace("forgets_retries", "within_three_seconds"), 2, folder=tmp_path)
    )
    (cause,) = progress.failures
    assert cause.startswith("convergence: ")
    bundle = read_bundle(tmp_path / "failures" / "seed-0.json")
    profile = bundle.case.profile
    assert [str(fault) for fault in profile.faults] == ["kill_node(at=1s, node=1)"]
    assert (profile.nodes, profile.cpus, profile.network, str(profile.order)) == (3, 1, {}, "fifo")
    assert 6 <= bundle.findings[0].at_ns / 1e9 < 7, "faults stop after 3 s, and it has 3 s more"


def test_what_a_whole_hunt_never_came_to_is_told(tmp_path, capsys):
    target = BROKEN.replace("forgets_retries", "never_comes_to_all")
    arguments = ["hunt", target, "--seeds", "20", "--out", str(tmp_path), "--jobs", "2"]
    assert run_command([*arguments, "--time", "0s"]) == 0
    assert "never true" not in capsys.readouterr().out, "it was not whole"
    assert run_command(arguments) == 1
    said = capsys.readouterr().out
    assert "sometimes: never true in any of 20 runs: never so" in said
    assert "always so" not in said


def test_what_runs_print_is_not_seen_in_a_hunt(tmp_path, capfd):
    hunt(HuntOptions(BROKEN, seeds=3, folder=tmp_path))
    out, error = capfd.readouterr()
    assert out == error == ""


def test_the_commands_on_a_failure(failure, tmp_path, capsys):
    assert run_command(["replay", str(failure)]) == 1
    assert "It fails again, event for event" in capsys.readouterr().out
    small = tmp_path / "small.json"
    assert run_command(["shrink", str(failure), "--time", "20s", "--out", str(small)]) == 1
    assert "-> 1 fault, 1 node" in capsys.readouterr().out
    assert run_command(["why", str(small), "PushTasks"]) == 0
    assert "RegisterWorker" in capsys.readouterr().out
    assert run_command(["diff", str(small), str(small)]) == 0
    assert run_command(["diff", str(small), str(failure)]) == 1


def test_a_failure_of_a_program_that_was_mended_is_said_to_be_gone(failure, tmp_path, capsys):
    bundle = msgspec.structs.replace(read_bundle(failure), target=FINE)
    bundle.write(tmp_path / "mended.json")
    assert run_command(["replay", str(tmp_path / "mended.json")]) == 0
    assert "does not fail any more" in capsys.readouterr().out
    assert run_command(["shrink", str(tmp_path / "mended.json")]) == 0


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("nothing", "is no target"),
        ("no.such.module:test", "cannot be imported"),
        (f"{Path(__file__).parent / 'broken.py'}:nobody", "there is no function 'nobody'"),
        (f"{Path(__file__).parent / 'absent.py'}", "there is no file"),
        (f"{Path(__file__).parent / 'broken.py'}", "has several: name one of"),
        (f"{Path(__file__).parent / 'broken.py'}::takes", "takes tmp_path, and only pytest gives"),
    ],
)
def test_a_target_that_is_none(name, problem):
    with pytest.raises(TargetError, match=problem):
        find_target(name)


SCENARIO = """
name: small
cluster:
  nodes: 2
  cpus: 1
workload:
  kind: workflow
  file: {workflow}
assert:
  - makespan_s < {bound}s
"""


@pytest.mark.parametrize(("bound", "failed"), [(100_000, 0), (1, 3)])
def test_each_seed_of_a_scenario_is_held_to_what_it_expects(tmp_path, repository, bound, failed):
    workflow = repository / "scenarios" / "workflows" / "mosaic.json"
    file = tmp_path / "small.yaml"
    file.write_text(SCENARIO.format(workflow=workflow, bound=bound))
    progress = hunt(HuntOptions(str(file), seeds=3, folder=tmp_path / "found"))
    assert progress.failed == failed
    if failed:
        assert list(progress.failures) == ["expectation: makespan_s < 1s"]
        assert run_command(["replay", str(tmp_path / "found" / "failures" / "seed-0.json")]) == 1


def test_a_file_that_is_no_failure(tmp_path):
    path = tmp_path / "other.json"
    path.write_text('{"format": 1}')
    with pytest.raises(BundleError, match="is no failure: "):
        read_bundle(path)
    with pytest.raises(BundleError, match="cannot be read"):
        read_bundle(tmp_path / "absent.json")


def test_a_case_survives_its_file(tmp_path):
    target = find_target("")
    for seed in range(20):
        case = Case.sampled(target, SeededTape(seed), seed)
        assert case_from_json(msgspec.json.decode(msgspec.json.encode(case.to_json()))) == case


def test_a_run_is_the_same_whether_it_is_looked_at_or_not():
    target = find_target("")
    for seed in (3, 4):
        case = Case.sampled(target, SeededTape(seed), seed)
        looked = run_case(target, case, look_every=16)
        assert run_case(target, case, look_every=0).digest == looked.digest
        bundle = bundle_of("", case, looked)
        assert trace_of(bundle, target).level is Level.ALL
