import pytest

from raysim.scenario.mosaic import mosaic, mosaic_json
from raysim.scenario.wfformat import load_wfformat, parse_wfformat


def test_the_committed_file_is_what_the_generator_writes(repository):
    file = repository / "scenarios" / "workflows" / "mosaic.json"
    assert file.read_text() == mosaic_json(), (
        "write it again: python -m raysim.scenario.mosaic > scenarios/workflows/mosaic.json"
    )


def test_the_committed_workflow_has_about_a_hundred_tasks(repository):
    workflow = load_wfformat(repository / "scenarios" / "workflows" / "mosaic.json")
    assert (len(workflow.tasks), workflow.edges) == (107, 259)
    assert workflow.work_s == pytest.approx(315.3, abs=0.1)
    assert workflow.critical_path_s == pytest.approx(29.9, abs=0.1)


def test_the_stages_follow_each_other():
    workflow = parse_wfformat(mosaic_json(2, 2))
    parents = {task.id: set(task.parents) for task in workflow.order}
    assert parents["diff_fit_000"] == {"project_0_0", "project_1_0"}
    assert parents["background_1_1"] == {"project_1_1", "background_model"}
    assert parents["co_add"] >= {"image_table", "background_0_0"}
    assert parents["render"] == {"shrink"}


def test_every_file_is_read_or_is_the_end():
    workflow = parse_wfformat(mosaic_json(3, 3))
    read = {file for task in workflow.order for file in task.inputs}
    assert set(workflow.files) - read == {"mosaic.jpg"}


@pytest.mark.parametrize(("columns", "rows"), [(1, 5), (2, 0)])
def test_a_sky_without_overlap_is_refused(columns, rows):
    with pytest.raises(ValueError, match="needs two images that overlap"):
        mosaic(columns, rows)
