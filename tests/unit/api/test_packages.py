import io
import os
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest

from raysim.api import packages
from raysim.api.packages import pack_archive, pack_folder
from raysim.api.runtime_env import job_env


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "shed"
    (root / "tools" / "old").mkdir(parents=True)
    (root / "tools" / "hammer.py").write_text("x = 1")
    (root / "tools" / "old" / "saw.py").write_text("x = 2")
    (root / "main.py").write_text("x = 3")
    (root / "empty").mkdir()
    return root


def names(data: bytes) -> list[str]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return archive.namelist()


def test_a_folder_becomes_a_zip_of_what_is_in_it(folder: Path) -> None:
    _, data = pack_folder(folder, [])
    assert names(data) == ["empty/", "main.py", "tools/hammer.py", "tools/old/saw.py"]


def test_a_module_keeps_its_own_folder(folder: Path) -> None:
    _, data = pack_folder(folder / "tools", [], as_module=True)
    assert names(data) == ["tools/hammer.py", "tools/old/saw.py"]


def test_copies_of_a_folder_are_one_package(folder: Path) -> None:
    before = pack_folder(folder, [])
    os.utime(folder / "main.py", (1, 1))
    assert pack_folder(folder, []) == before
    (folder / "main.py").write_text("x = 4")
    assert pack_folder(folder, [])[0] != before[0]


@pytest.mark.parametrize(
    ("rules", "left"),
    [
        (["*.py"], ["empty/"]),
        (["/main.py", "empty"], ["tools/hammer.py", "tools/old/saw.py"]),
        (["tools/old/"], ["empty/", "main.py", "tools/hammer.py"]),
        (["*.py", "!main.py"], ["empty/", "main.py"]),
    ],
)
def test_excludes_are_those_of_git(folder: Path, rules: list[str], left: list[str]) -> None:
    assert names(pack_folder(folder, rules)[1]) == left


@pytest.mark.parametrize("name", [".gitignore", ".rayignore"])
def test_ignore_files_count_from_the_folder_they_lie_in(folder: Path, name: str) -> None:
    (folder / "tools" / name).write_text("/old\n")
    assert names(pack_folder(folder, [])[1]) == [
        "empty/",
        "main.py",
        f"tools/{name}",
        "tools/hammer.py",
    ]


def test_gitignore_can_be_left_out_of_account(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / ".gitignore").write_text("*.py\n")
    assert "main.py" not in names(pack_folder(folder, [])[1])
    monkeypatch.setenv("RAY_RUNTIME_ENV_IGNORE_GITIGNORE", "1")
    assert "main.py" in names(pack_folder(folder, [])[1])


def test_programs_stay_executable(folder: Path) -> None:
    (folder / "main.py").chmod(0o755)
    with zipfile.ZipFile(io.BytesIO(pack_folder(folder, [])[1])) as archive:
        assert archive.getinfo("main.py").external_attr >> 16 & 0o777 == 0o755


def test_a_package_that_is_too_large_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(packages, "LARGEST_BYTES", 100)
    with pytest.raises(ValueError, match=r"shed is larger than .*'excludes'"):
        pack_folder(folder, [])


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "no.zip"
    file.write_text("no")
    with pytest.raises(ValueError, match="is not a zip or tar file"):
        pack_archive(file)


def test_a_job_may_name_an_imported_module(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = ModuleType("tools")
    module.__path__ = [str(folder / "tools")]
    monkeypatch.setitem(sys.modules, "tools", module)
    text, uploads = job_env({"py_modules": [module]})
    [(uri, data)] = uploads.items()
    assert uri in text
    assert names(data) == ["tools/hammer.py", "tools/old/saw.py"]


def test_a_package_is_uploaded_once_however_often_it_is_named(folder: Path) -> None:
    paths = [str(folder / "main.py"), str(folder / "main.py")]
    _, uploads = job_env({"py_modules": paths})
    assert len(uploads) == 1


def test_what_every_node_has_is_not_uploaded() -> None:
    text, uploads = job_env({"working_dir": "file:///shared/program.zip"})
    assert uploads == {}
    assert "file:///shared/program.zip" in text
