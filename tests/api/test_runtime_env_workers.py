"""Workers that are no forks: of another interpreter, of conda, in a container. Ray's reference, section 12."""

import json
import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.api.patience import until

OWN = ("sim", "cluster")


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], Path]:
    """`programs(name, text)` puts a shell script on the path of the cluster that is started next."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")
    monkeypatch.setenv("RAYSIM_CACHE_DIR", str(tmp_path / "cache"))
    for name in ("CONDA_EXE", "MAMBA_EXE", "RAY_CONDA_HOME"):
        monkeypatch.delenv(name, raising=False)

    def add(name: str, text: str) -> Path:
        file = folder / name
        file.write_text(f"#!/bin/sh\n{text}")
        file.chmod(file.stat().st_mode | stat.S_IXUSR)
        return file

    return add


def run(ray: ModuleType, what: Callable[[], Any], env: dict[str, Any]) -> Any:
    return ray.get(ray.remote(what).options(runtime_env=env, max_retries=0).remote())


def pid() -> int:
    return os.getpid()


# py_executable


def test_a_worker_is_started_by_the_command_that_is_given(
    fresh: Callable[..., ModuleType], backend: str
) -> None:
    if backend == "sim":
        pytest.skip("simulated processes share one interpreter")
    ray = fresh()

    def look() -> tuple[int, bool]:
        return sys.flags.optimize, os.environ.get("SHED") == "red"

    env = {"py_executable": f"{sys.executable} -O", "env_vars": {"SHED": "red"}}
    assert run(ray, look, env) == (1, True)
    assert run(ray, look, {}) == (0, False)


def test_the_command_may_be_a_program_of_the_working_dir(
    fresh: Callable[..., ModuleType], backend: str, tmp_path: Path
) -> None:
    if backend == "sim":
        pytest.skip("simulated processes share one interpreter")
    folder = tmp_path / "program"
    folder.mkdir()
    script = folder / "start.sh"
    script.write_text(f'#!/bin/sh\nSHED=wrapped {sys.executable} "$@"\n')
    script.chmod(0o755)
    (folder / "shed_beside.py").write_text("ROOM = 9\n")
    ray = fresh(runtime_env={"working_dir": str(folder), "py_executable": "./start.sh"})

    def look() -> tuple[str | None, int]:
        import shed_beside

        return os.environ.get("SHED"), shed_beside.ROOM

    assert ray.get(ray.remote(look).remote()) == ("wrapped", 9)


def test_a_worker_that_a_command_has_started_ends_with_its_actor(
    fresh: Callable[..., ModuleType], backend: str, programs: Callable[[str, str], Path]
) -> None:
    """The command is the parent of the worker, and the worker is not the process that was started."""
    if backend != "cluster":
        pytest.skip("of processes of ours")
    wrapper = programs("wrapper", f'{sys.executable} "$@"\n')
    ray = fresh()

    @ray.remote(runtime_env={"py_executable": str(wrapper)})
    class Shed:
        def pids(self) -> tuple[int, int]:
            return os.getppid(), os.getpid()

    shed = Shed.remote()
    parent, own = ray.get(shed.pids.remote())
    assert "wrapper" in Path(f"/proc/{parent}/cmdline").read_text()
    ray.kill(shed)
    until(lambda: not Path(f"/proc/{own}").exists() and not Path(f"/proc/{parent}").exists())


def test_a_command_that_is_not_there_fails_those_who_wait(
    fresh: Callable[..., ModuleType], backend: str
) -> None:
    if backend != "cluster":
        pytest.skip("Ray tries for ever; a simulated worker has no command")
    ray = fresh()
    with pytest.raises(ray.exceptions.RuntimeEnvSetupError, match="exited with code 127"):
        run(ray, pid, {"py_executable": "/no/such/python"})
    assert run(ray, pid, {}) != os.getpid()


def test_another_version_of_python_is_refused(
    fresh: Callable[..., ModuleType], backend: str, programs: Callable[[str, str], Path]
) -> None:
    if backend != "cluster":
        pytest.skip("of workers of ours")
    # The version that it is told to have is what it compares.
    other = programs("python-other", f'script=$1; shift 2; exec {sys.executable} $script 2.7 "$@"')
    ray = fresh()
    with pytest.raises(ray.exceptions.RuntimeEnvSetupError, match="exited with code 1"):
        run(ray, pid, {"py_executable": str(other)})


# conda

CONDA = """
echo "$*" >> {log}
case "$*" in
"env list --json") echo '{{"envs": ["{root}", "{root}/envs/garden"]}}' ;;
"env create --prefix "*)
  {python} -m venv --without-pip "$4" || exit 1
  cp "$6" "$4/made-of.yaml"
  mkdir -p "$4/etc/conda/activate.d"
  echo 'export SHED_ACTIVATED=yes' > "$4/etc/conda/activate.d/shed.sh" ;;
*) echo "conda knows no $*" >&2; exit 2 ;;
esac
"""


@pytest.fixture
def conda(programs: Callable[[str, str], Path], tmp_path: Path) -> Path:
    """A conda that has an environment `garden`, and writes down what it is asked for."""
    log, root = tmp_path / "conda.log", tmp_path / "conda"
    programs("conda", CONDA.format(log=log, root=root, python=sys.executable))
    bin_folder = root / "envs" / "garden" / "bin"
    bin_folder.mkdir(parents=True)
    (bin_folder / "python").symlink_to(sys.executable)
    return log


def of_conda() -> tuple[str | None, str | None]:
    return os.environ.get("CONDA_PREFIX"), os.environ.get("SHED_ACTIVATED")


def test_conda_makes_an_environment_once_and_activates_it(
    fresh: Callable[..., ModuleType], backend: str, conda: Path
) -> None:
    if backend != "cluster":
        pytest.skip("a simulated node installs nothing; Ray wants a conda of its own")
    env = {"conda": {"channels": ["main"], "dependencies": ["hammer=1", {"pip": ["saw"]}]}}
    ray = fresh()
    prefix, activated = run(ray, of_conda, env)
    assert activated == "yes"
    python = "{}.{}".format(*sys.version_info)
    made_of = json.loads(Path(prefix, "made-of.yaml").read_text())
    assert made_of["dependencies"] == ["hammer=1", {"pip": ["saw"]}, f"python={python}", "pip"]
    ray.shutdown()
    ray = fresh()
    assert run(ray, of_conda, env) == (prefix, "yes")
    assert conda.read_text().count("env create") == 1


def test_conda_reads_a_file_where_the_environment_is_given(
    fresh: Callable[..., ModuleType], backend: str, conda: Path, tmp_path: Path
) -> None:
    if backend != "cluster":
        pytest.skip("a simulated node installs nothing; Ray wants a conda of its own")
    file = tmp_path / "environment.yaml"
    file.write_text("dependencies:\n  - rake\n")
    ray = fresh()
    prefix, _ = run(ray, of_conda, {"conda": str(file)})
    assert json.loads(Path(prefix, "made-of.yaml").read_text())["dependencies"][0] == "rake"


def test_an_environment_of_conda_may_be_there_already(
    fresh: Callable[..., ModuleType], backend: str, conda: Path, tmp_path: Path
) -> None:
    if backend != "cluster":
        pytest.skip("a simulated node has no conda; Ray wants one of its own")
    ray = fresh()
    prefix, activated = run(ray, of_conda, {"conda": "garden"})
    assert os.path.realpath(str(prefix)) == str(tmp_path / "conda" / "envs" / "garden")
    assert activated is None
    whole = str(tmp_path / "conda" / "envs" / "garden")
    assert run(ray, of_conda, {"conda": whole})[0] == whole
    with pytest.raises(ray.exceptions.RuntimeEnvSetupError, match="there are garden, base"):
        run(ray, of_conda, {"conda": "orchard"})


def test_without_conda_the_error_says_so(
    fresh: Callable[..., ModuleType], backend: str, programs: Callable[[str, str], Path]
) -> None:
    if backend != "cluster":
        pytest.skip("a simulated node has no conda; Ray's error is another")
    ray = fresh()
    with pytest.raises(ray.exceptions.RuntimeEnvSetupError, match="none of conda, mamba"):
        run(ray, pid, {"conda": "garden"})


# pip and uv

UV = """
echo "$*" >> {log}
case "$1" in
venv) {python} -m venv --without-pip "$4" ;;
pip) [ "$2" = install ] && eval "cat \\"\\${{$#}}\\"" >> {log}; echo "index $PIP_INDEX" >> {log} ;;
esac
"""


def test_uv_gets_whole_lines_and_the_variables_of_the_environment(
    fresh: Callable[..., ModuleType],
    backend: str,
    programs: Callable[[str, str], Path],
    tmp_path: Path,
) -> None:
    if backend != "cluster":
        pytest.skip("a simulated node installs nothing; Ray's uv comes with its own interpreter")
    log = tmp_path / "uv.log"
    programs("uv", UV.format(log=log, python=sys.executable))
    ray = fresh()
    env = {
        "uv": {
            "packages": ["hammer==1; python_version > '3'", "--prefer-binary"],
            "uv_check": True,
            "uv_pip_install_options": ["--offline"],
        },
        "env_vars": {"PIP_INDEX": "mine"},
    }
    prefix = run(ray, lambda: sys.prefix, env)
    python = f"--python {prefix}/bin/python"
    assert log.read_text().splitlines() == [
        f"venv --python {os.path.abspath(sys.executable)} {prefix}",
        f"pip install {python} --offline -r {prefix}.txt",
        "hammer==1; python_version > '3'",
        "--prefer-binary",
        "index mine",
        f"pip check {python}",
        "index mine",
    ]


def test_requirements_may_lie_in_the_working_dir(
    fresh: Callable[..., ModuleType], backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend != "cluster":
        pytest.skip("a simulated node installs nothing; Ray's takes half a minute")
    monkeypatch.setenv("RAYSIM_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / "requirements.txt").write_text("--no-index\nno-such-hammer\n")
    place = "${RAY_RUNTIME_ENV_CREATE_WORKING_DIR}"
    env = {"pip": {"packages": [f"-r {place}/requirements.txt"], "pip_check": True}}
    ray = fresh(runtime_env={"working_dir": str(folder)})
    with pytest.raises(ray.exceptions.RuntimeEnvSetupError, match="no-such-hammer"):
        run(ray, pid, env)


# Containers

PODMAN = """
for one in "$@"; do echo "$one" >> {log}; done
while [ "$1" != --entrypoint ]; do shift; done
[ "$3" = broken ] && {{ echo "no such image: $3" >&2; exit 125; }}
SHED_IMAGE="$3"; export SHED_IMAGE
shift 3
{python} "$@"
"""


@pytest.fixture
def podman(programs: Callable[[str, str], Path], tmp_path: Path) -> Path:
    """A podman whose containers are processes, and which writes down what it is asked for."""
    log = tmp_path / "podman.log"
    programs("podman", PODMAN.format(log=log, python=sys.executable))
    return log


def image() -> tuple[str | None, str | None, int]:
    return os.environ.get("SHED_IMAGE"), os.environ.get("SHED"), os.getpid()


@pytest.mark.parametrize(
    "field",
    [{"image_uri": "shed:1"}, {"container": {"image": "shed:1", "run_options": ["--cpus=1"]}}],
)
def test_a_worker_runs_in_a_container_of_the_image(
    fresh: Callable[..., ModuleType], backend: str, podman: Path, field: dict[str, Any]
) -> None:
    if backend != "cluster":
        pytest.skip("a simulated worker has no container; Ray wants a podman of its own")
    ray = fresh()
    env = {**field, "env_vars": {"SHED": "red"}}
    name, variable, inside = run(ray, image, env)
    assert (name, variable) == ("shed:1", "red")
    asked = podman.read_text().splitlines()
    assert {"--network=host", "--pid=host", "--ipc=host", "--env=SHED"} <= set(asked)
    assert ("--cpus=1" in asked) == ("container" in field)
    assert not any("SHED=red" in one for one in asked)
    ray.shutdown()
    until(lambda: not Path(f"/proc/{inside}").exists())


def test_an_image_that_cannot_be_had_is_told(
    fresh: Callable[..., ModuleType], backend: str, podman: Path
) -> None:
    if backend != "cluster":
        pytest.skip("a simulated worker has no container; Ray wants a podman of its own")
    ray = fresh()
    with pytest.raises(ray.exceptions.RuntimeEnvSetupError, match="no such image: broken"):
        run(ray, pid, {"image_uri": "broken"})


def test_without_podman_and_docker_the_error_says_so(
    fresh: Callable[..., ModuleType], backend: str, programs: Callable[[str, str], Path]
) -> None:
    if backend != "cluster":
        pytest.skip("a simulated node has no containers; Ray's error is another")
    ray = fresh()
    with pytest.raises(ray.exceptions.RuntimeEnvSetupError, match="neither podman nor docker"):
        run(ray, pid, {"image_uri": "shed:1"})


# On both worlds


@pytest.mark.parametrize(
    "env", [{"conda": "garden"}, {"image_uri": "shed:1"}, {"py_executable": "python -O"}]
)
def test_a_simulated_worker_takes_such_an_environment(
    fresh: Callable[..., ModuleType], backend: str, env: dict[str, Any]
) -> None:
    if backend != "sim":
        pytest.skip("real workers need the programs")
    ray = fresh()
    assert run(ray, lambda: 7, env) == 7


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        ({"conda": 3}, TypeError),
        ({"conda": "/no/such"}, ValueError),
        ({"conda": "/no/such.yaml"}, ValueError),
        ({"conda": "a", "pip": ["b"]}, ValueError),
        ({"conda": "a", "uv": ["b"]}, ValueError),
        ({"image_uri": "a", "pip": ["b"]}, ValueError),
        ({"container": {"image": "a"}, "conda": "b"}, ValueError),
    ],
)
def test_what_does_not_come_together_is_refused(
    lib: ModuleType, wrong: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        lib.runtime_env.RuntimeEnv(**wrong)


@pytest.mark.parametrize(
    "wrong",
    [
        {"container": "x"},
        {"container": {"run_options": []}},
        {"container": {"image": "a", "run_options": "x"}},
        {"image_uri": 3},
        {"py_executable": ""},
    ],
)
def test_what_ray_only_finds_on_the_node_is_refused_where_it_is_given(
    lib: ModuleType, backend: str, wrong: dict[str, Any]
) -> None:
    if backend == "judge":
        pytest.skip("Ray looks later")
    with pytest.raises((TypeError, ValueError), match=next(iter(wrong))):
        lib.runtime_env.RuntimeEnv(**wrong)
