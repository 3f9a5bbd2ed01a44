"""Zips folders and modules of a program for its workers. Never sends them: see `Backend.prepare`.

What is left out: `excludes`, and what `.gitignore` and `.rayignore` files say, in every folder, as Ray
does. Equal contents are equal packages: their name is a digest.
"""

import io
import os
import tarfile
import zipfile
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TypeAlias

from pathspec import GitIgnoreSpec

from raysim.api.env_fields import ARCHIVES, WHEEL
from raysim.spec.runtime_env import PACKAGE_SCHEME

LARGEST_BYTES = 512 * 1024 * 1024
"""Of a package. Ray: `GCS_STORAGE_MAX_SIZE`."""

IGNORE_FILES = (".gitignore", ".rayignore")

_LONG_AGO = (1980, 1, 1, 0, 0, 0)
"""The time of every file in a zip: copies of a folder are the same package."""

Package: TypeAlias = tuple[str, bytes]
"""Its URI and its bytes."""

_Rules: TypeAlias = list[tuple[Path, GitIgnoreSpec]]


def pack_folder(folder: Path, excludes: Sequence[str], *, as_module: bool = False) -> Package:
    """A zip of what is in the folder; `as_module`: of the folder itself.

    Raises ValueError when it is too large, or empty.
    """
    root = folder.resolve()
    prefix = f"{root.name}/" if as_module else ""
    rules = [(root, GitIgnoreSpec.from_lines(excludes))]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _files(root, rules):
            _check_size(buffer.tell() + path.stat().st_size // 100, folder)
            _add(archive, path, prefix + path.relative_to(root).as_posix())
    return _named(buffer.getvalue(), ".zip", folder)


def pack_module_file(file: Path) -> Package:
    """A zip of one `.py` file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        _add(archive, file, file.name)
    return _named(buffer.getvalue(), ".zip", file)


def pack_archive(file: Path) -> Package:
    """A zip, a wheel or a tar as it is. Raises ValueError when it is neither."""
    if not zipfile.is_zipfile(file) and not tarfile.is_tarfile(file):
        raise ValueError(f"{file} is not a zip or tar file.")
    suffix = next((one for one in (*ARCHIVES, WHEEL) if file.name.endswith(one)), file.suffix)
    return _named(file.read_bytes(), suffix, file)


def _named(data: bytes, suffix: str, source: Path) -> Package:
    _check_size(len(data), source)
    return f"{PACKAGE_SCHEME}_ray_pkg_{sha256(data).hexdigest()[:16]}{suffix}", data


def _check_size(size: int, source: Path) -> None:
    if size > LARGEST_BYTES:
        raise ValueError(
            f"The package of {source} is larger than {LARGEST_BYTES >> 20} MiB. Leave files out with "
            "'excludes' or a .rayignore file, or put large data where every node can read it."
        )


def _add(archive: zipfile.ZipFile, path: Path, name: str) -> None:
    is_folder = path.is_dir()
    info = zipfile.ZipInfo(f"{name}/" if is_folder else name, _LONG_AGO)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = path.stat().st_mode << 16
    archive.writestr(info, b"" if is_folder else path.read_bytes())


def _files(folder: Path, rules: _Rules) -> Iterator[Path]:
    """Files and empty folders, in a fixed order."""
    rules = [*rules, *_rules_in(folder)]
    for path in sorted(folder.iterdir()):
        is_folder = path.is_dir()
        if _ignored(path, is_folder, rules):
            continue
        if is_folder and any(path.iterdir()):
            yield from _files(path, rules)
        elif is_folder or path.is_file():
            yield path


def _rules_in(folder: Path) -> Iterator[tuple[Path, GitIgnoreSpec]]:
    for name in IGNORE_FILES:
        if name == ".gitignore" and os.environ.get("RAY_RUNTIME_ENV_IGNORE_GITIGNORE") == "1":
            continue
        file = folder / name
        if file.is_file():
            yield folder, GitIgnoreSpec.from_lines(file.read_text("utf-8").splitlines())


def _ignored(path: Path, is_folder: bool, rules: _Rules) -> bool:
    tail = "/" if is_folder else ""
    return any(spec.match_file(path.relative_to(root).as_posix() + tail) for root, spec in rules)
