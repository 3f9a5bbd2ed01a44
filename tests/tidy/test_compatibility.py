"""docs/compatibility.md tells the truth of today, about the Ray that it names."""

import subprocess
import sys
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import pytest


def run(repository: Path, tool: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-W", "ignore", f"tools/{tool}", "--check"]
    return subprocess.run(command, cwd=repository, capture_output=True, text=True, timeout=120)


@pytest.fixture
def tool(repository, tmp_path, monkeypatch):
    """The generator, with differences that a test may write."""
    spec = spec_from_file_location("compatibility", repository / "tools/compatibility.py")
    module = module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "compatibility", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "DIFFERENCES", tmp_path / "differences.toml")
    return module


def test_the_document_is_fresh(repository: Path) -> None:
    done = run(repository, "compatibility.py")
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(find_spec("ray") is None, reason="needs the extra: raysim-core[ray]")
def test_the_names_are_those_of_the_ray_that_is_installed(repository: Path) -> None:
    done = run(repository, "ray_surface.py")
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("reason", "wrong"),
    [
        ('[absent."ray: names"]\nget = "no"', "not absent"),
        ('[absent."ray: names"]\ngot = "no"', "Ray has no 'got'"),
        ('[absent."rays: names"]\nget = "no"', "no section"),
    ],
)
def test_reason_that_does_not_hold_is_refused(tool, reason, wrong):
    tool.DIFFERENCES.write_text(reason)
    with pytest.raises(tool.StaleReasonError, match=wrong):
        tool.sections()


def test_name_that_is_there_is_supported_and_one_that_is_not_is_not(tool):
    tool.DIFFERENCES.write_text("")
    (names,) = [section for section in tool.sections() if section.title == "ray: names"]
    found = {entry.name: entry.status for entry in names.entries}
    assert found["get"] is tool.Status.SUPPORTED
    assert found["java_function"] is tool.Status.ABSENT
