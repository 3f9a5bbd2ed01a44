"""`raysim report` and `raysim explain`: a run's folder looked at again."""

import json
import sys
from pathlib import Path

import pytest

from raysim.report.png import by_day


@pytest.fixture
def folder(raysim):
    assert raysim("run", "bag.yaml").code == 0
    return Path("runs/bag")


def test_the_page_and_the_timeline_are_made_anew(raysim, folder):
    before = {name: (folder / name).read_bytes() for name in ("report.html", "timeline.json")}
    for name in before:
        (folder / name).unlink()
    ended = raysim("report", str(folder))
    assert (ended.code, ended.out.split()) == (0, [str(folder / name) for name in before])
    page = (folder / "report.html").read_text()
    assert "bag" in page
    assert len(page) == pytest.approx(len(before["report.html"]), rel=0.02)
    assert (folder / "timeline.json").read_bytes() == before["timeline.json"]


def test_each_picture_is_a_file_of_its_own_where_asked_for(raysim, folder):
    assert raysim("report", str(folder), "--figures").code == 0
    drawn = {file.name for file in (folder / "figures").iterdir()}
    curves = {"cores-in-use.svg", "tasks-waiting.svg"}
    assert drawn == curves | {"gantt.svg", "wait.svg", "turnaround.svg", "slowdown.svg"}


def test_each_picture_is_a_png_as_well_where_asked_for(raysim, folder):
    ended = raysim("report", str(folder), "--png")
    assert ended.code == 0
    drawn = {file.name for file in (folder / "figures").iterdir()}
    assert len(drawn) == 12
    assert {f"{name[:-4]}.png" for name in drawn} == {name for name in drawn if ".png" in name}
    assert all(str(folder / "figures" / name) in ended.out for name in drawn)
    image = (folder / "figures" / "gantt.png").read_bytes()
    svg = (folder / "figures" / "gantt.svg").read_text()
    size = [int(image[at : at + 4].hex(), 16) for at in (16, 20)]
    assert f'viewBox="0 0 {size[0] // 2} {size[1] // 2}"' in svg


def test_a_png_has_the_colours_that_only_browsers_know_by_name(raysim, folder):
    assert raysim("report", str(folder), "--figures").code == 0
    for file in (folder / "figures").iterdir():
        drawn = by_day(file.read_text())
        assert "--" not in drawn
        assert "@media" not in drawn
        assert drawn.count("{") == drawn.count("}")


def test_a_missing_resvg_is_told_with_what_to_install(raysim, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "resvg_py", None)
    ended = raysim("report", str(folder), "--png")
    assert ended.code == 2
    assert "--png: needs resvg_py" in ended.err
    assert "pip install 'raysim-core[png]'" in ended.err


def test_a_missing_pyarrow_is_told_with_what_to_install(raysim, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    ended = raysim("report", str(folder), "--parquet")
    assert ended.code == 2
    assert "--parquet: needs pyarrow" in ended.err
    assert "pip install 'raysim-core[parquet]'" in ended.err


def test_parquet_has_the_columns_of_the_table(raysim, folder):
    parquet = pytest.importorskip("pyarrow.parquet")
    assert raysim("report", str(folder), "--parquet").code == 0
    table = parquet.read_table(folder / "tasks.parquet")
    header = (folder / "tasks.csv").read_text().splitlines()[0]
    assert ",".join(table.column_names) == header
    assert table.num_rows == 8


def test_a_folder_without_a_task_and_a_task_without_a_folder_are_told(raysim, folder):
    ended = raysim("explain", str(folder))
    assert (ended.code, ended.out) == (2, "")
    assert f"raysim explain {folder} TASK" in ended.err
    ended = raysim("explain", "nowhere", "task")
    assert ended.code == 2
    assert "raysim explain ID" in ended.err


def test_a_task_s_wait_is_explained(raysim, folder):
    task = (folder / "tasks.csv").read_text().splitlines()[-1].split(",")[0]
    ended = raysim("explain", str(folder), task)
    assert ended.code == 0
    assert ended.out.startswith(f"Task {task} waited for ")
    assert "- node node-1 had room " in ended.out
    found = json.loads(raysim("explain", str(folder), task, "--json").out)
    assert found["reason"] == "no room"


def test_an_unknown_task_and_a_folder_of_something_else_are_bad_input(raysim, folder):
    ended = raysim("explain", str(folder), "tusk_1")
    assert (ended.code, ended.out) == (2, "")
    assert "no task of this run is called 'tusk_1'; did you mean task_1?" in ended.err
    Path("empty").mkdir()
    ended = raysim("report", "empty")
    assert ended.code == 2
    assert "a run's folder is what `raysim run --out` leaves" in ended.err
