"""Parts of a scenario in other files: what covers what, and whose mistake it is."""

import pytest

from raysim.scenario.loading import load_scenario
from raysim.scenario.problems import ScenarioError

BASE = """
cluster: {nodes: 4, network: {latency: 1ms, resets: true}}
workload: {kind: tasks, count: 10, duration: 2s}
assert: [failed == 0]
seed: 3
"""


@pytest.fixture
def write(tmp_path):
    def written(**files):
        for name, text in files.items():
            folder, _, stem = name.rpartition("__")
            (tmp_path / folder).mkdir(exist_ok=True)
            (tmp_path / folder / f"{stem}.yaml").write_text(text)
        return tmp_path / "top.yaml"

    return written


def problems(file):
    with pytest.raises(ScenarioError) as error:
        load_scenario(file)
    return [str(problem).replace(f"{file.parent}/", "") for problem in error.value.problems]


def test_mappings_are_merged_and_everything_else_is_covered(write):
    top = "include: base.yaml\ncluster: {cpus: 2, network: {latency: 5ms}}\nassert: [tasks == 10]\n"
    scenario = load_scenario(write(base=BASE, top=top)).scenario
    assert (scenario.cluster.nodes, scenario.cluster.cpus, scenario.seed) == (4, 2, 3)
    assert (scenario.cluster.network.latency, scenario.cluster.network.resets) == (5_000_000, True)
    assert [one.text for one in scenario.expectations] == ["tasks == 10"]


def test_a_later_file_covers_an_earlier_one(write):
    file = write(
        base=BASE, other="seed: 4\npolicy: spread\n", top="include: [base.yaml, other.yaml]"
    )
    assert (load_scenario(file).scenario.seed, load_scenario(file).scenario.policy) == (4, "spread")


def test_a_workload_of_another_kind_takes_nothing_from_the_one_it_covers(write, tmp_path):
    (tmp_path / "app.py").write_text("")
    file = write(base=BASE, top="include: base.yaml\nworkload: {kind: program, file: app.py}")
    assert load_scenario(file).scenario.workload.file == "app.py"


def test_files_are_beside_the_file_that_names_them(write, tmp_path):
    parts = "include: deeper/nodes.yaml\nworkload: {kind: program, file: app.py}\n"
    file = write(parts__work=parts, top="include: parts/work.yaml")
    write(parts="", top="include: parts/work.yaml")
    (tmp_path / "parts" / "deeper").mkdir()
    (tmp_path / "parts" / "deeper" / "nodes.yaml").write_text("cluster: {nodes: 7}")
    (tmp_path / "parts" / "app.py").write_text("")
    experiment = load_scenario(file)
    assert experiment.program == tmp_path / "parts" / "app.py"
    assert experiment.scenario.cluster.nodes == 7


def test_a_policy_of_ones_own_is_beside_the_file_that_names_it(write, tmp_path):
    file = write(parts__mine="policy: mine.py:Mine", top=f"include: parts/mine.yaml\n{BASE}")
    (tmp_path / "parts" / "mine.py").write_text("from raysim.policies.fit import BestFit as Mine\n")
    assert "parts/mine.py" in load_scenario(file).scenario.policy


def test_a_mistake_is_told_in_the_file_where_it_stands(write):
    base = BASE.replace("latency", "latncy").replace("3", "x")
    file = write(base=base, top="include: base.yaml\npolicy: spraed")
    assert problems(file) == [
        "base.yaml:2:31: unknown key 'latncy'; did you mean latency?",
        "base.yaml:5:7: 'seed' must be a whole number, not 'x'",
        "top.yaml:2:9: unknown policy 'spraed'; did you mean spread?",
    ]


def test_every_file_that_is_broken_is_told_at_once(write):
    file = write(one="a: [1", two="- a", top="include: [one.yaml, two.yaml, gone.yaml]")
    told = problems(file)
    assert told[0].startswith("one.yaml:1:6: this is not YAML")
    assert told[1] == (
        "top.yaml:1:31: there is no file 'gone.yaml' beside this one; did you mean one.yaml?"
    )
    assert told[2] == "two.yaml:1:1: a file that is included is a mapping"


def test_a_file_that_includes_itself_is_told_with_the_way_round(write):
    file = write(top="include: a.yaml", a="seed: 1\ninclude: [b.yaml]", b="include: a.yaml")
    assert problems(file) == [
        "b.yaml:1:10: a file cannot include itself: a.yaml -> b.yaml -> a.yaml"
    ]
    assert problems(write(top="include: top.yaml"))[0].endswith("itself: top.yaml -> top.yaml")


def test_a_file_that_many_include_is_read_once(write):
    """Each of these includes the next one twice: 2**30 files, were each read again."""
    files = {f"f{n}": f"include: [f{n + 1}.yaml, f{n + 1}.yaml]" for n in range(30)}
    file = write(**files, f30=BASE, top="include: f0.yaml")
    assert load_scenario(file).scenario.seed == 3


@pytest.mark.parametrize("said", ["3", "[]", "[base.yaml, 4]", "{a: b}", "''"])
def test_what_is_no_name_of_a_file_is_told(write, said):
    (told,) = problems(write(base=BASE, top=f"include: {said}"))
    assert told.endswith("'include' is the name of a file beside this one, or a list of such names")
