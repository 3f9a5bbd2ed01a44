"""A file's text, or the problem that keeps it from being read. Never parses."""

from __future__ import annotations

from pathlib import Path

from raysim.scenario.problems import Place, Problem, ScenarioError, nearest


def read_text(file: Path) -> str:
    """The UTF-8 text of this file. Raises ScenarioError where there is none."""
    try:
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        what = "there is no such file"
        raise ScenarioError([Problem(str(file), None, what, nearest_file(file))]) from None
    except OSError as error:
        what = f"cannot be read: {error.strerror}"
        raise ScenarioError([Problem(str(file), None, what)]) from error
    except UnicodeDecodeError as error:
        before = error.object[: error.start]
        column = len(before) - (before.rfind(b"\n") + 1) + 1
        what = (
            f"this is not UTF-8 text: byte {error.object[error.start]:#04x}; save the file as UTF-8"
        )
        place = Place(before.count(b"\n") + 1, column)
        raise ScenarioError([Problem(str(file), place, what)]) from error


def nearest_file(file: Path) -> str | None:
    """The file beside this one whose name is most like it."""
    folder = file.parent
    if not folder.is_dir():
        return None
    names = sorted(entry.name for entry in folder.iterdir() if entry.name != file.name)
    # Of files of one kind the ending says nothing: `flow.json` is not near to `old.json`.
    stems = {Path(name).stem: name for name in names if Path(name).suffix == file.suffix}
    stem = nearest(file.stem, stems)
    name = (
        stems[stem]
        if stem
        else nearest(file.name, (name for name in names if name not in stems.values()))
    )
    return str(folder / name) if name else None


def nearest_beside(file: Path, name: str) -> str | None:
    """What was probably meant by a name that is relative to this file, and that no file has."""
    near = nearest_file(file.parent / name)
    return str(Path(name).with_name(Path(near).name)) if near else None
