"""Modules of the program in its workers: found where the driver finds them, or brought along."""

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

import raysim as ray

SOURCE = """
import shed_helper

class Shed:
    def room(self):
        return shed_helper.ROOM

def measure(shed):
    return shed.room(), type(shed) is Shed
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder with a module and one that it needs."""
    (tmp_path / "shed_module.py").write_text(SOURCE)
    (tmp_path / "shed_helper.py").write_text("ROOM = 7\n")
    before = sys.path[:]
    yield tmp_path
    ray.shutdown()
    sys.path[:] = before
    for name in ("shed_module", "shed_helper"):
        sys.modules.pop(name, None)


@pytest.fixture
def measured(folder: Path) -> Callable[[ModuleType], tuple[int, bool]]:
    def run(module: ModuleType) -> tuple[int, bool]:
        measure = ray.remote(module.measure)
        found: tuple[int, bool] = ray.get(measure.remote(module.Shed()))
        return found

    return run


def test_workers_import_what_lies_on_the_drivers_path(
    folder: Path, measured: Callable[[ModuleType], tuple[int, bool]]
) -> None:
    sys.path.insert(0, str(folder))
    ray.init(backend="cluster", num_cpus=1)
    assert measured(importlib.import_module("shed_module")) == (7, True)

    @ray.remote
    def look() -> str | None:
        import shed_helper

        return shed_helper.__file__

    assert ray.get(look.remote()) == str(folder / "shed_helper.py")


def test_what_lies_on_a_path_that_was_added_later_comes_along(
    folder: Path, measured: Callable[[ModuleType], tuple[int, bool]]
) -> None:
    ray.init(backend="cluster", num_cpus=1)
    sys.path.insert(0, str(folder))
    assert measured(importlib.import_module("shed_module")) == (7, True)


def test_what_was_loaded_by_hand_comes_along(
    folder: Path, measured: Callable[[ModuleType], tuple[int, bool]]
) -> None:
    sys.path.insert(0, str(folder))
    ray.init(backend="cluster", num_cpus=1)
    spec = importlib.util.spec_from_file_location("shed_by_hand", folder / "shed_module.py")
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["shed_by_hand"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    try:
        assert measured(module) == (7, True)
    finally:
        del sys.modules["shed_by_hand"]


def test_workers_begin_in_the_drivers_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    ray.init(backend="cluster", num_cpus=1)

    @ray.remote
    def where() -> str:
        return os.getcwd()

    assert ray.get(where.remote()) == str(folder)
