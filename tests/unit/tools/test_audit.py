"""Known vulnerabilities of what is pinned: found, none, or nobody to ask."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from tools import audit


class Database(BaseHTTPRequestHandler):
    """Answers as OSV does: a result for each query, in their order."""

    vulnerable: dict[tuple[str, str], list[str]]
    status: int

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        results = []
        for query in asked["queries"]:
            assert query["package"]["ecosystem"] == "PyPI"
            ids = self.vulnerable.get((query["package"]["name"], query["version"]))
            results.append({"vulns": [{"id": one} for one in ids]} if ids else {})
        body = json.dumps({"results": results}).encode()
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nothing is printed."""


@pytest.fixture
def database() -> Iterator[tuple[type[Database], str]]:
    kind = type("Some", (Database,), {"vulnerable": {}, "status": 200})
    with HTTPServer(("127.0.0.1", 0), kind) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield kind, f"http://127.0.0.1:{server.server_port}/v1/querybatch"
        server.shutdown()
        thread.join()


@pytest.fixture
def pins(tmp_path: Path) -> Path:
    file = tmp_path / "constraints.txt"
    file.write_text("# Written by hand.\nclick==8.5.1\nPyYAML==6.0.3\nzipp==4.1.2\n")
    return file


def run(pins: Path, url: str) -> int:
    return audit.main(["--constraints", str(pins), "--database", url])


def test_a_vulnerable_version_fails_and_is_named(
    database: tuple[type[Database], str], pins: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind, url = database
    kind.vulnerable = {("PyYAML", "6.0.3"): ["GHSA-1", "PYSEC-2"], ("click", "8.5.0"): ["GHSA-3"]}
    assert run(pins, url) == 1
    said = capsys.readouterr().err
    assert "PyYAML 6.0.3 is vulnerable" in said
    assert "https://osv.dev/vulnerability/PYSEC-2" in said
    assert "click" not in said


def test_no_known_vulnerability_is_well(
    database: tuple[type[Database], str], pins: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(pins, database[1]) == 0
    assert capsys.readouterr().out == "No known vulnerability in 3 dependencies.\n"


def test_one_that_is_accepted_is_no_failure(
    database: tuple[type[Database], str], pins: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, url = database
    kind.vulnerable = {("zipp", "4.1.2"): ["GHSA-4"]}
    monkeypatch.setattr(audit, "ACCEPTED", {"GHSA-4": "nothing of ours is a zip file"})
    assert run(pins, url) == 0


@pytest.mark.parametrize("status", [None, 404, 503], ids=["nobody", "404", "503"])
def test_without_the_database_one_line_says_that_nothing_was_audited(
    database: tuple[type[Database], str],
    pins: Path,
    capsys: pytest.CaptureFixture[str],
    status: int | None,
) -> None:
    kind, url = database
    kind.status = status or 200
    assert run(pins, url if status else "http://127.0.0.1:9/") == 0
    said = capsys.readouterr()
    assert said.err == ""
    (line,) = said.out.splitlines()
    assert line.startswith("Dependencies are not audited: ")


def test_a_question_that_is_not_understood_is_our_mistake(
    database: tuple[type[Database], str], pins: Path
) -> None:
    kind, url = database
    kind.status = 400
    with pytest.raises(HTTPError):
        run(pins, url)


def test_everything_that_is_pinned_is_asked_for() -> None:
    text = (audit.ROOT / "constraints.txt").read_text()
    assert len(audit.versions(text)) == len(text.splitlines()) - 1
    with pytest.raises(ValueError, match="is no pinned version"):
        audit.versions("click>=8")
