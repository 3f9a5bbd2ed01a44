import json

import pytest

from raysim.scenario.problems import Place, ScenarioError
from raysim.scenario.wfformat import load_wfformat, parse_wfformat

PUBLISHED = {
    "helloworld-chain-5-chameleon": (5, 4, 501, 501.2, 0.10),
    "helloworld-forkjoin-10-chameleon": (10, 16, 1029, 307.4, 0.10),
    "blast-chameleon-small-001": (43, 120, 383, 10.4, 5.11),
    "srasearch-chameleon-10a-001": (22, 30, 6997, 1005.9, 10.69),
    "1000genome-chameleon-2ch-100k-001": (52, 76, 2771, 204.7, 2.58),
    "montage-chameleon-dss-05d-001": (58, 114, 5586, 559.8, 2.80),
    "montage-chameleon-2mass-01d-001": (103, 231, 363, 21.1, 0.44),
    "epigenomics-chameleon-hep-1seq-100k-001": (41, 48, 539, 104.8, 0.56),
    "seismology-chameleon-100p-001": (101, 100, 72, 2.8, 0.00),
    "cycles-chameleon-1l-1c-9p-001": (67, 97, 863, 163.4, 0.47),
}
"""Tasks, edges, sum of runtimes s, critical path s, sum of file sizes GB."""


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_workflow_has_its_figures(shared_data, name):
    workflow = load_wfformat(shared_data / "wfcommons" / f"{name}.json")
    assert (
        len(workflow.tasks),
        workflow.edges,
        round(workflow.work_s),
        round(workflow.critical_path_s + 1e-9, 1),
        round(workflow.file_bytes / 1e9, 2),
    ) == PUBLISHED[name]


def test_every_published_workflow_is_tested(shared_data):
    assert {file.stem for file in (shared_data / "wfcommons").glob("*.json")} == set(PUBLISHED)


def document():
    """Two tasks: `make` writes what `use` reads."""
    return {
        "name": "pair",
        "schemaVersion": "1.5",
        "workflow": {
            "specification": {
                "tasks": [
                    task("make", children=["use"], outputFiles=["data"]),
                    task("use", parents=["make"], inputFiles=["data"]),
                ],
                "files": [{"id": "data", "sizeInBytes": 100}],
            },
            "execution": {
                "makespanInSeconds": 5,
                "executedAt": "now",
                "tasks": [
                    {"id": "make", "runtimeInSeconds": 1.5},
                    {"id": "use", "runtimeInSeconds": 2, "coreCount": 4},
                ],
            },
        },
    }


def task(name, **rest):
    return {"id": name, "name": name, "parents": [], "children": [], **rest}


def set_at(data, path, value):
    """The document with this value at the path, which is removed where the value is None."""
    *steps, last = path.split(".")
    at = data
    for step in steps:
        at = at[int(step) if step.isdigit() else step]
    if value is None:
        del at[last]
    else:
        at[int(last) if last.isdigit() else last] = value
    return data


SPEC = "workflow.specification"
RAN = "workflow.execution"


def test_a_workflow_is_read():
    workflow = parse_wfformat(json.dumps(document()))
    make, use = workflow.order
    assert (make.runtime_s, make.cores, make.outputs) == (1.5, 1, ("data",))
    assert (use.runtime_s, use.cores, use.parents, use.inputs) == (2, 4, ("make",), ("data",))
    assert workflow.file_bytes == 100


@pytest.mark.parametrize("path", [f"{SPEC}.tasks.0.children", f"{SPEC}.tasks.1.parents"])
def test_an_edge_counts_whichever_end_names_it(path):
    workflow = parse_wfformat(json.dumps(set_at(document(), path, [])))
    assert workflow.edges == 1


@pytest.mark.parametrize("version", ["1.5", "1.6"])
def test_later_versions_are_read_alike(version):
    assert parse_wfformat(json.dumps(set_at(document(), "schemaVersion", version))).edges == 1


def test_version_1_4_has_one_list_and_calls_parents_by_name():
    text = json.dumps(
        {
            "name": "old",
            "schemaVersion": "1.4",
            "workflow": {
                "makespanInSeconds": 3,
                "executedAt": "now",
                "tasks": [
                    old_task("make_1", "ID1", files=[old_file("data", "output")]),
                    old_task(
                        "use_2",
                        "ID2",
                        parents=["make_1"],
                        files=[old_file("data", "input")],
                        cores=2,
                    ),
                ],
            },
        }
    )
    workflow = parse_wfformat(text)
    assert [(task.id, task.parents, task.cores) for task in workflow.order] == [
        ("ID1", (), 1),
        ("ID2", ("ID1",), 2),
    ]
    assert (workflow.edges, workflow.file_bytes) == (1, 7)


def old_task(name, task_id, **rest):
    return {"name": name, "id": task_id, "type": "compute", "runtimeInSeconds": 1, **rest}


def old_file(name, link):
    return {"name": name, "sizeInBytes": 7, "link": link}


@pytest.mark.parametrize(
    ("path", "value", "says"),
    [
        ("name", None, "'name' is missing"),
        ("schemaVersion", "1.2", "WfFormat '1.2' is not read; 1.4, 1.5, 1.6 are"),
        ("schemaVersion", 1.5, "'schemaVersion' must be a string, not 1.5"),
        ("workflow", [], "'workflow' must be a mapping, not a list"),
        (RAN, None, "'execution' is missing in 'workflow'"),
        (f"{SPEC}.tasks", [], "'tasks' must not be empty"),
        (f"{SPEC}.tasks.0.id", 7, "'id' must be a string, not 7"),
        (f"{SPEC}.tasks.1.id", "make", "two tasks have the id 'make'"),
        (f"{SPEC}.tasks.1.parents.0", "mke", "there is no task 'mke'; did you mean make?"),
        (f"{SPEC}.tasks.0.children.0", "usee", "there is no task 'usee'; did you mean use?"),
        (f"{SPEC}.tasks.1.parents", "make", "'parents' must be a list, not 'make'"),
        (f"{SPEC}.tasks.0.parents", ["use"], "tasks wait for each other: make -> use -> make"),
        (f"{SPEC}.tasks.1.inputFiles.0", "dat", "there is no file 'dat' in the list of files"),
        (f"{SPEC}.tasks.1.outputFiles", ["data"], "is written by 'make' already"),
        (f"{SPEC}.files.0.sizeInBytes", -1, "'sizeInBytes' must be at least 0"),
        (f"{SPEC}.files.0.sizeInBytes", "5", "'sizeInBytes' must be a whole number, not '5'"),
        (f"{RAN}.tasks.0.id", "mak", "not among workflow.specification.tasks; did you mean make?"),
        (f"{RAN}.tasks.1", {"id": "make", "runtimeInSeconds": 1}, "is given twice"),
        (f"{RAN}.tasks.0.runtimeInSeconds", -1, "must be at least 0, not -1"),
        (f"{RAN}.tasks.0.runtimeInSeconds", "1", "'runtimeInSeconds' must be a number, not '1'"),
        (f"{RAN}.tasks.0.coreCount", 0, "'coreCount' must be at least 1, not 0"),
        (f"{RAN}.tasks.0.corecount", 2, "unknown key 'corecount'; did you mean coreCount?"),
    ],
)
def test_a_wrong_workflow_is_refused_with_what_was_meant(path, value, says):
    assert says in problems_of(json.dumps(set_at(document(), path, value), indent=1))


def test_a_reader_must_wait_for_the_writer():
    data = set_at(document(), f"{SPEC}.tasks.0.children", [])
    data = set_at(data, f"{SPEC}.tasks.1.parents", [])
    assert "'use' reads file 'data' but does not wait for 'make'" in problems_of(json.dumps(data))


def test_a_reader_may_wait_for_the_writer_through_others():
    data = document()
    data["workflow"]["specification"]["tasks"] = [
        task("make", outputFiles=["data"]),
        task("middle", parents=["make"]),
        task("use", parents=["middle"], inputFiles=["data"]),
    ]
    data["workflow"]["execution"]["tasks"].append({"id": "middle", "runtimeInSeconds": 1})
    assert parse_wfformat(json.dumps(data)).edges == 2


def test_keys_that_somebody_added_are_left_alone():
    data = set_at(document(), f"{RAN}.tasks.0.carbonFootprint", 3)
    assert parse_wfformat(json.dumps(data)).edges == 1


def test_all_problems_come_at_once_in_the_order_of_their_lines():
    text = """{"name": "x",
 "schemaVersion": "1.5",
 "workflow": {
  "specification": {"tasks": [
   {"id": "a", "name": "a", "parents": [], "children": ["bb"]},
   {"id": "b", "name": "b", "parents": [], "children": [], "inputFiles": ["f"]}]},
  "execution": {"tasks": [{"id": "a", "runtimeInSeconds": 1},
   {"id": "b", "runtimeInSeconds": 1}]}}}
"""
    with pytest.raises(ScenarioError) as caught:
        parse_wfformat(text, "flow.json")
    assert [problem.place for problem in caught.value.problems] == [Place(5, 57), Place(6, 75)]
    assert str(caught.value).splitlines()[0] == (
        "flow.json:5:57: there is no task 'bb'; did you mean b?"
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "f:1:1: this is not JSON: expecting value"),
        ('{"a": 1,}', "this is not JSON"),
        ('{\n "name": NaN}', "f:2:10: this is not JSON: NaN is not a number"),
        ('{"name": "NaN", "a": -Infinity}', "f:1:22: this is not JSON: -Infinity is not a number"),
        ('{"a": 1,\n "a": 2}', "f:2:2: 'a' is given twice"),
        ("[]", "f:1:1: this file must be a mapping"),
        ("[" * 100_000, "nested too deeply"),
    ],
)
def test_text_that_is_not_json_is_refused_at_its_place(text, says):
    with pytest.raises(ScenarioError) as caught:
        parse_wfformat(text, "f")
    assert says in str(caught.value)


def test_a_missing_file_is_told_with_the_nearest_name(tmp_path):
    (tmp_path / "montage.json").write_text("{}")
    with pytest.raises(ScenarioError, match=r"there is no such file; did you mean .*montage\.json"):
        load_wfformat(tmp_path / "montag.json")


def test_a_file_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "flow.json").write_bytes(b"\xff\xfe")
    with pytest.raises(ScenarioError, match="is not UTF-8 text"):
        load_wfformat(tmp_path / "flow.json")


def problems_of(text):
    with pytest.raises(ScenarioError) as caught:
        parse_wfformat(text)
    return str(caught.value)
