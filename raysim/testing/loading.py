"""A file of tests as a module, as pytest makes it: the same name, the same folder to import from, asserts that tell
their values. Never runs a test of it.

A run that pytest found is then the same run here, to the bytes of what is pickled.
"""

from __future__ import annotations

import ast
import importlib.util
import sys
from pathlib import Path
from types import CodeType, ModuleType


def load_file(path: Path, name: str = "") -> ModuleType:
    """`name`: of the module, where it is known. Raises what the file's own code raises."""
    path = path.resolve()
    root = _root(path)
    name = name or ".".join(path.relative_to(root).with_suffix("").parts)
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None, f"{path} is no Python file"
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # Where pickle looks for what the file defines.
    exec(_compiled(path), module.__dict__)  # noqa: S102 - as the import system does.
    return module


def _root(path: Path) -> Path:
    """The folder that holds the outermost package that the file is in."""
    folder = path.parent
    while (folder / "__init__.py").is_file():
        folder = folder.parent
    return folder


def _compiled(path: Path) -> CodeType:
    filename = str(path)
    source = path.read_bytes()
    tree = ast.parse(source, filename)
    try:
        from _pytest.assertion.rewrite import rewrite_asserts
    except ImportError:
        pass  # Without pytest an assert says no more than Python has it say.
    else:
        rewrite_asserts(tree, source, filename)
    return compile(tree, filename, "exec", dont_inherit=True)
