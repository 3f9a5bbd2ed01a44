"""Runtime environments: what workers have besides a plain one's. Ray's reference, section 12."""

import os
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

OWN = ("sim", "cluster")
"""Backends whose environments raysim sets up itself."""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """A folder with a module, data, and things to leave out."""
    folder = tmp_path / "program"
    (folder / "data").mkdir(parents=True)
    (folder / "shed.py").write_text("ROOM = 7\n")
    (folder / "data" / "list.txt").write_text("hammer")
    (folder / "noise.log").write_text("...")
    (folder / ".gitignore").write_text("*.tmp\n")
    (folder / "half.tmp").write_text("...")
    return folder


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    package = tmp_path / "lib" / "toolbox"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("SIZE = 3\n")
    return package


@pytest.fixture(autouse=True)
def base() -> Iterator[None]:
    os.environ["SHED_BASE"] = "/base"
    yield
    del os.environ["SHED_BASE"]


# env_vars


def test_variables_of_a_job_are_set_in_its_workers_and_not_in_its_driver(
    fresh: Callable[..., ModuleType],
) -> None:
    ray = fresh(runtime_env={"env_vars": {"SHED": "red"}})

    @ray.remote
    def look() -> str | None:
        return os.environ.get("SHED")

    assert ray.get(look.remote()) == "red"
    assert os.environ.get("SHED") is None


def test_a_variable_may_refer_to_the_workers_own_ones(fresh: Callable[..., ModuleType]) -> None:
    ray = fresh(runtime_env={"env_vars": {"SHED": "${SHED_BASE}/red:${SHED_NONE}"}})

    @ray.remote
    def look() -> str | None:
        return os.environ.get("SHED")

    assert ray.get(look.remote()) == "/base/red:"


def test_variables_of_a_task_are_added_to_those_of_the_job(
    fresh: Callable[..., ModuleType],
) -> None:
    ray = fresh(runtime_env={"env_vars": {"SHED": "red", "DOOR": "one"}})

    @ray.remote(runtime_env={"env_vars": {"SHED": "blue", "ROOF": "flat"}})
    def look() -> list[str | None]:
        return [os.environ.get(name) for name in ("SHED", "DOOR", "ROOF")]

    assert ray.get(look.remote()) == ["blue", "one", "flat"]


def test_what_a_task_submits_inherits_its_environment(fresh: Callable[..., ModuleType]) -> None:
    ray = fresh(num_cpus=3)

    @ray.remote
    def inner() -> list[str | None]:
        return [os.environ.get(name) for name in ("SHED", "ROOF")]

    @ray.remote
    def outer() -> list[Any]:
        own = inner.remote()
        changed = inner.options(runtime_env={"env_vars": {"ROOF": "flat"}}).remote()
        return ray.get([own, changed])

    asked = outer.options(runtime_env={"env_vars": {"SHED": "red"}}).remote()
    assert ray.get(asked) == [["red", None], ["red", "flat"]]


# working_dir and py_modules


def test_workers_work_in_a_copy_of_the_working_dir(
    fresh: Callable[..., ModuleType], program: Path
) -> None:
    ray = fresh(runtime_env={"working_dir": str(program)})

    @ray.remote
    def look() -> tuple[int, str, bool]:
        import shed

        text = Path("data/list.txt").read_text()
        return shed.ROOM, text, os.path.realpath(os.getcwd()) == os.path.realpath(str(program))

    here = os.getcwd()
    assert ray.get(look.remote()) == (7, "hammer", False)
    assert os.getcwd() == here
    assert "shed" not in sys.modules


def test_what_is_excluded_or_ignored_does_not_travel(
    fresh: Callable[..., ModuleType], program: Path
) -> None:
    ray = fresh(runtime_env={"working_dir": str(program), "excludes": ["*.log", "/data"]})

    @ray.remote
    def look() -> list[str]:
        return sorted(os.listdir("."))

    assert ray.get(look.remote()) == [".gitignore", "shed.py"]


def test_a_working_dir_may_be_a_zip_file(fresh: Callable[..., ModuleType], tmp_path: Path) -> None:
    archive = tmp_path / "program.zip"
    with zipfile.ZipFile(archive, "w") as zipped:
        zipped.writestr("shed_in_zip.py", "ROOM = 8\n")
    ray = fresh(runtime_env={"working_dir": str(archive)})

    @ray.remote
    def look() -> int:
        import shed_in_zip

        return int(shed_in_zip.ROOM)

    assert ray.get(look.remote()) == 8


def test_py_modules_can_be_imported_by_workers(
    fresh: Callable[..., ModuleType], tools: Path
) -> None:
    ray = fresh(runtime_env={"py_modules": [str(tools)]})

    @ray.remote
    def look() -> int:
        import toolbox

        return int(toolbox.SIZE)

    assert ray.get(look.remote()) == 3


def test_two_environments_may_have_modules_of_one_name(
    fresh: Callable[..., ModuleType], tools: Path, tmp_path: Path
) -> None:
    ray = fresh(runtime_env={"py_modules": [str(tools)]})
    other = tmp_path / "toolbox.zip"
    with zipfile.ZipFile(other, "w") as zipped:
        zipped.writestr("any/toolbox/__init__.py", "SIZE = 4\n")

    @ray.remote
    def look() -> int:
        import toolbox

        return int(toolbox.SIZE)

    newer = {"py_modules": [f"file://{other}"]}
    assert ray.get(look.remote()) == 3
    assert ray.get(look.options(runtime_env=newer).remote()) == 4
    assert ray.get(look.remote()) == 3


def test_a_working_dir_that_is_not_there_is_refused(lib: ModuleType, backend: str) -> None:
    own = {} if backend == "judge" else {"backend": backend}
    with pytest.raises(ValueError, match="/no/such"):
        lib.init(runtime_env={"working_dir": "/no/such"}, **own)
    assert not lib.is_initialized()


# The hook


def test_the_setup_hook_runs_once_in_each_worker_before_its_first_call(
    fresh: Callable[..., ModuleType],
) -> None:
    def prepare() -> None:
        os.environ["SHED_HOOK"] = os.environ.get("SHED_HOOK", "") + "x"

    ray = fresh(num_cpus=1, runtime_env={"worker_process_setup_hook": prepare})

    @ray.remote
    def look() -> str | None:
        return os.environ.get("SHED_HOOK")

    assert [ray.get(look.remote()) for _ in range(3)] == ["x", "x", "x"]
    assert "SHED_HOOK" not in os.environ, "the driver has its own variables"


def test_the_setup_hook_may_be_named(fresh: Callable[..., ModuleType], program: Path) -> None:
    (program / "shed_hook.py").write_text(
        "import os\ndef prepare():\n    os.environ['SHED_NAMED'] = 'yes'\n"
    )
    ray = fresh(
        runtime_env={
            "working_dir": str(program),
            "worker_process_setup_hook": "shed_hook.prepare",
        }
    )

    @ray.remote
    def look() -> str | None:
        return os.environ.get("SHED_NAMED")

    assert ray.get(look.remote()) == "yes"


def test_a_setup_hook_that_raises_crashes_the_worker(fresh: Callable[..., ModuleType]) -> None:
    def prepare() -> None:
        raise ValueError("no hammer")

    ray = fresh(runtime_env={"worker_process_setup_hook": prepare})

    @ray.remote(max_retries=0)
    def look() -> None: ...

    with pytest.raises(ray.exceptions.WorkerCrashedError):
        ray.get(look.remote())


# What is told


def test_the_context_tells_the_environment(fresh: Callable[..., ModuleType]) -> None:
    ray = fresh(runtime_env={"env_vars": {"SHED": "red"}})

    @ray.remote(runtime_env={"env_vars": {"ROOF": "flat"}})
    def look() -> tuple[dict[str, Any], str]:
        context = ray.get_runtime_context()
        return dict(context.runtime_env), context.get_runtime_env_string()

    context = ray.get_runtime_context()
    assert isinstance(context.runtime_env, ray.runtime_env.RuntimeEnv)
    assert context.runtime_env == {"env_vars": {"SHED": "red"}}
    env, text = ray.get(look.remote())
    assert env == {"env_vars": {"ROOF": "flat", "SHED": "red"}}
    assert ray.runtime_env.RuntimeEnv.deserialize(text) == env


def test_a_runtime_env_is_a_dict_that_is_checked(lib: ModuleType) -> None:
    kind = lib.runtime_env.RuntimeEnv
    env = kind(env_vars={"SHED": "red"}, config={"setup_timeout_seconds": 3})
    assert isinstance(env, dict)
    assert env["env_vars"] == {"SHED": "red"}
    assert env.to_dict()["config"]["setup_timeout_seconds"] == 3
    assert kind(env_vars={}) == {}
    assert kind(pip=["a", "b", "a"])["pip"]["packages"] == ["a", "b"]
    with pytest.raises(TypeError):
        env["env_vars"] = {"SHED": 3}


# Virtual environments


def wheel(folder: Path, name: str, version: str) -> str:
    file = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(f"{name}/__init__.py", f"VERSION = {version!r}\n")
        archive.writestr(
            f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return str(file)


def test_pip_makes_a_virtual_environment_that_is_kept(
    fresh: Callable[..., ModuleType],
    backend: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if backend != "cluster":
        pytest.skip("only real workers have interpreters of their own")
    monkeypatch.setenv("RAYSIM_CACHE_DIR", str(tmp_path / "cache"))
    package = wheel(tmp_path, "shed_in_wheel", "1.5")
    env = {"pip": {"packages": [package], "pip_install_options": ["--no-index"]}}

    def look() -> tuple[str, str]:
        import shed_in_wheel

        return str(shed_in_wheel.VERSION), sys.executable

    ray = fresh()
    version, python = ray.get(ray.remote(look).options(runtime_env=env).remote())
    assert version == "1.5"
    assert Path(python).is_relative_to(tmp_path / "cache")
    with pytest.raises(ModuleNotFoundError):
        ray.get(ray.remote(look).remote())
    made = os.stat(python).st_ctime_ns
    ray.shutdown()
    ray = fresh()
    assert ray.get(ray.remote(look).options(runtime_env=env).remote()) == ("1.5", python)
    assert os.stat(python).st_ctime_ns == made


def test_what_pip_says_is_in_the_error(
    fresh: Callable[..., ModuleType],
    backend: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if backend != "cluster":
        pytest.skip("a simulated node installs nothing")
    monkeypatch.setenv("RAYSIM_CACHE_DIR", str(tmp_path / "cache"))
    missing = str(tmp_path / "none-1.0-py3-none-any.whl")
    ray = fresh()

    @ray.remote
    def look() -> None: ...

    with pytest.raises(ray.exceptions.RuntimeEnvSetupError, match="No such file"):
        ray.get(look.options(runtime_env={"pip": [missing]}).remote())


def test_an_environment_that_takes_too_long_is_given_up(
    fresh: Callable[..., ModuleType],
    backend: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if backend not in OWN:
        pytest.skip("takes Ray half a minute")
    monkeypatch.setenv("RAYSIM_CACHE_DIR", str(tmp_path / "cache"))
    ray = fresh()

    @ray.remote
    def look() -> int:
        return 1

    slow = {"pip": ["/no/such.whl"], "config": {"setup_timeout_seconds": 1}}
    with pytest.raises(ray.exceptions.RuntimeEnvSetupError, match="within 1 s"):
        ray.get(look.options(runtime_env=slow).remote())
    assert ray.get(look.remote()) == 1


def test_variables_that_an_interpreter_reads_at_its_start_count(
    fresh: Callable[..., ModuleType], backend: str
) -> None:
    if backend == "sim":
        pytest.skip("simulated processes share one interpreter, which has started")
    ray = fresh()

    @ray.remote(runtime_env={"env_vars": {"PYTHONHASHSEED": "0"}})
    def look() -> int:
        return sys.flags.hash_randomization

    assert ray.get(look.remote()) == 0
