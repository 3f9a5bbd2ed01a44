"""Where the packages of a runtime environment come from: archives, the web, folders of the nodes."""

import functools
import io
import socket
import sys
import tarfile
import threading
import zipfile
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

OWN = ("sim", "cluster")


def zipped(**files: str) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(f"top/{name}.py", text)
    return buffer.getvalue()


def tarred(**files: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, text in files.items():
            info = tarfile.TarInfo(f"top/{name}.py")
            info.size = len(text)
            archive.addfile(info, io.BytesIO(text.encode()))
    return buffer.getvalue()


class Web:
    """A server on this machine. It keeps the headers that it was asked with."""

    def __init__(self) -> None:
        self.pages: dict[str, bytes] = {}
        self.asked: list[dict[str, str]] = []
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Handler, self))
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.thread = threading.Thread(target=self.server.serve_forever)
        self.thread.start()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, web: Web, *args: Any) -> None:
        self.web = web
        super().__init__(*args)

    def do_GET(self) -> None:
        page = self.web.pages.get(self.path.partition("?")[0])
        self.web.asked.append(dict(self.headers))
        self.send_response(200 if page is not None else 404)
        self.end_headers()
        self.wfile.write(page or b"")

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def web() -> Iterator[Web]:
    made = Web()
    yield made
    made.close()


def room() -> int:
    import shed_far

    return int(shed_far.ROOM)


@pytest.fixture
def on_the_web(backend: str) -> None:
    if backend == "judge":
        pytest.importorskip("smart_open")


@pytest.mark.usefixtures("on_the_web")
@pytest.mark.parametrize(("name", "pack"), [("a.zip", zipped), ("b.tar.gz", tarred)])
def test_a_package_may_lie_on_the_web(
    fresh: Callable[..., ModuleType], web: Web, name: str, pack: Callable[..., bytes]
) -> None:
    web.pages[f"/{name}"] = pack(shed_far="ROOM = 5\n")
    ray = fresh()
    look = ray.remote(room)
    for env in (
        {"working_dir": f"{web.url}/{name}"},
        {"py_modules": [f"{web.url}/{name}?version=2"]},
    ):
        assert ray.get(look.options(runtime_env=env).remote()) == 5


def test_a_node_fetches_a_package_once_and_says_who_it_is(
    fresh: Callable[..., ModuleType], backend: str, web: Web, monkeypatch: pytest.MonkeyPatch
) -> None:
    if backend not in OWN:
        pytest.skip("Ray needs another library for it")
    monkeypatch.setenv("RAY_RUNTIME_ENV_BEARER_TOKEN", "key")
    web.pages["/a.zip"] = zipped(shed_far="ROOM = 5\n")
    ray = fresh(runtime_env={"working_dir": f"{web.url}/a.zip"})
    look = ray.remote(room)
    coloured = look.options(runtime_env={"env_vars": {"SHED": "red"}})
    assert ray.get([look.remote(), coloured.remote()]) == [5, 5]
    assert [one["Authorization"] for one in web.asked] == ["Bearer key"]


@pytest.mark.usefixtures("on_the_web")
def test_what_is_not_on_the_web_fails_those_who_need_it(
    fresh: Callable[..., ModuleType], backend: str, web: Web
) -> None:
    ray = fresh()
    env = {"working_dir": f"{web.url}/none.zip"}
    with pytest.raises(ray.exceptions.RuntimeEnvSetupError, match="404"):
        ray.get(ray.remote(room).options(runtime_env=env).remote())
    if backend not in OWN:
        return  # Ray remembers failures for a while.
    web.pages["/none.zip"] = zipped(shed_far="ROOM = 6\n")
    assert ray.get(ray.remote(room).options(runtime_env=env).remote()) == 6


def test_a_working_dir_may_be_a_tar_file(fresh: Callable[..., ModuleType], tmp_path: Path) -> None:
    archive = tmp_path / "program.tar.gz"
    archive.write_bytes(tarred(shed_far="ROOM = 7\n"))
    ray = fresh()
    env = {"working_dir": f"file://{archive}"}
    assert ray.get(ray.remote(room).options(runtime_env=env).remote()) == 7


def test_a_driver_may_upload_a_tar_file(fresh: Callable[..., ModuleType], tmp_path: Path) -> None:
    archive = tmp_path / "program.tgz"
    archive.write_bytes(tarred(shed_far="ROOM = 8\n"))
    ray = fresh(runtime_env={"working_dir": str(archive)})

    @ray.remote
    def look() -> int:
        sys.path.insert(0, "top")  # Of an uploaded archive nothing is left out.
        return room()

    assert ray.get(look.remote()) == 8


def test_a_folder_of_every_node_is_used_where_it_lies(
    fresh: Callable[..., ModuleType], tmp_path: Path
) -> None:
    (tmp_path / "shed_far.py").write_text("ROOM = 9\n")
    ray = fresh()

    @ray.remote(runtime_env={"working_dir": f"local://{tmp_path}"})
    def look() -> tuple[int, str]:
        return room(), str(Path.cwd())

    assert ray.get(look.remote()) == (9, str(tmp_path.resolve()))
    missing = look.options(runtime_env={"working_dir": "local:///no/such"})
    with pytest.raises(ray.exceptions.RuntimeEnvSetupError, match="exist on every node"):
        ray.get(missing.remote())


@pytest.mark.parametrize(
    "wrong", ["https://a.b/c", "https://a.b/c.whl", "local://here", "file:///x.txt"]
)
def test_a_working_dir_that_is_no_archive_is_refused(lib: ModuleType, wrong: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        lib.runtime_env.RuntimeEnv(working_dir=wrong)


def test_stores_that_need_their_own_libraries_are_refused_by_name(
    lib: ModuleType, backend: str
) -> None:
    if backend == "judge":
        pytest.skip("Ray uses those libraries")
    for scheme in ("s3", "gs", "azure", "abfss"):
        with pytest.raises(ValueError, match=f"{scheme}:// is not supported"):
            lib.runtime_env.RuntimeEnv(working_dir=f"{scheme}://shed/a.zip")


def test_explain_says_that_an_environment_is_being_set_up(
    fresh: Callable[..., ModuleType], backend: str, tmp_path: Path
) -> None:
    if backend not in OWN:
        pytest.skip("Ray does not tell why an object is not ready")
    ray = fresh()
    look = ray.remote(room)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        # A simulated node takes its time; a real one waits for an answer that does not come.
        slow = f"http://127.0.0.1:{silent.getsockname()[1]}/a.zip"
        source = slow if backend == "cluster" else f"file://{tmp_path}/none.zip"
        ref = look.options(runtime_env={"working_dir": source}).remote()
        while (found := ray.util.explain(ref)).reason != "runtime environment being set up":
            assert found.reason in ("message under way", "worker starting"), found
        assert "working_dir" in found.text
    with pytest.raises(ray.exceptions.RuntimeEnvSetupError):
        ray.get(ref)
