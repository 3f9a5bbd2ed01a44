"""Jobs that are submitted from another machine: by HTTP, with the cluster's token, and its authority's certificate."""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("starlette")
pytest.importorskip("uvicorn")

from tests.cluster.started import PATIENCE_SECONDS, Machine
from tests.unit.cluster.authority import Authority


class Elsewhere:
    """A machine without a node, and with the token."""

    def __init__(self, machine: Machine, folder: Path, address: str, ca: str) -> None:
        token = (Path(machine.environment["HOME"]) / ".raysim/auth_token").read_text().strip()
        self.folder = folder
        self.address = address
        self.environment = {
            **machine.environment,
            "HOME": str(folder),
            "TMPDIR": str(folder),
            "RAYSIM_AUTH_TOKEN": token,
            "RAYSIM_DASHBOARD_ADDRESS": address,
            "RAYSIM_TLS_CA_CERT": ca,
        }

    def job(self, *args: str, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "raysim", "job", *args],
            env={**self.environment, **variables},
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module", params=["http", "https"])
def elsewhere(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    authority: Authority,
) -> Iterator[Elsewhere]:
    tls = authority.files() if request.param == "https" else None
    how = ("--tls-cert", tls.cert, "--tls-key", tls.key, "--tls-ca", tls.ca) if tls else ()
    with Machine(tmp_path_factory.mktemp("machine")) as machine:
        size = ("--object-store-memory", "64MiB", "--num-cpus", "1")
        started = machine.raysim(
            "start", "--head", "--port", "0", "--dashboard-port", "0", *size, *how
        )
        found = re.search(r"^Dashboard: (https?://127\.0\.0\.1:\d+)", started.stdout, re.MULTILINE)
        assert found, started.stdout + started.stderr
        assert found[1].startswith(f"{request.param}:")
        yield Elsewhere(
            machine, tmp_path_factory.mktemp("elsewhere"), found[1], tls.ca if tls else ""
        )
        assert machine.raysim("stop").returncode == 0
        machine.assert_nothing_left()


def test_a_job_with_its_folder_is_submitted_followed_and_deleted(elsewhere: Elsewhere) -> None:
    app = elsewhere.folder / "app"
    app.mkdir()
    (app / "app.py").write_text(
        "import raysim as ray; ray.init(); print(len(ray.nodes()), 'nöde')\n"
    )
    ended = elsewhere.job(
        *("submit", "--submission-id", "far", "--working-dir", "app"),
        *("--metadata-json", '{"owner": "me"}', "--", "python", "app.py"),
    )
    assert (ended.returncode, ended.stdout) == (0, "1 nöde\n"), ended.stderr
    listed = json.loads(elsewhere.job("list", "--format", "json").stdout)
    [row] = [one for one in listed if one["submission_id"] == "far"]
    assert (row["status"], row["metadata"]) == ("SUCCEEDED", {"owner": "me"})
    assert elsewhere.job("logs", "far").stdout == "1 nöde\n"
    assert elsewhere.job("delete", "far").stdout == "far: deleted\n"
    gone = elsewhere.job("status", "far")
    assert (gone.returncode, gone.stderr) == (1, "Job far does not exist.\n")


def test_one_that_runs_is_refused_to_be_deleted_and_stopped(elsewhere: Elsewhere) -> None:
    begun = elsewhere.job("submit", "--no-wait", "--submission-id", "long", "--", "sleep 3600")
    assert (begun.returncode, begun.stdout) == (0, "long\n"), begun.stderr
    refused = elsewhere.job("delete", "long")
    assert refused.returncode == 1
    assert "Stop it first" in refused.stderr
    assert elsewhere.job("stop", "long").stdout == "long: STOPPED\n"
    taken = elsewhere.job("submit", "--submission-id", "long", "--", "true")
    assert (taken.returncode, "already exists" in taken.stderr) == (2, True)


def test_nobody_submits_without_the_token(elsewhere: Elsewhere) -> None:
    wrong = elsewhere.job("submit", "--", "true", RAYSIM_AUTH_TOKEN="wrong")
    assert wrong.returncode == 1
    assert "token is missing or wrong" in wrong.stderr
    none = elsewhere.job("list", RAYSIM_AUTH_TOKEN="")
    assert none.returncode == 1
    assert "There is no token for this cluster" in none.stderr
    listed = elsewhere.job("list", "--format", "json")
    assert "true" not in [row["entrypoint"] for row in json.loads(listed.stdout)]


def test_a_place_where_nothing_answers_is_said(elsewhere: Elsewhere) -> None:
    nothing = elsewhere.job("list", "--address", "http://127.0.0.1:1")
    assert nothing.returncode == 1
    assert "No dashboard answers at http://127.0.0.1:1" in nothing.stderr


def test_an_address_of_the_other_kind_is_told_so(elsewhere: Elsewhere) -> None:
    scheme, _, rest = elsewhere.address.partition("://")
    other = "https" if scheme == "http" else "http"
    asked = elsewhere.job("list", "--address", f"{other}://{rest}", "--verify", "false")
    assert asked.returncode != 0
    assert f"ask it under {scheme}:// instead of {other}://" in asked.stderr


def test_a_certificate_of_an_unknown_authority_is_refused(
    elsewhere: Elsewhere, tmp_path: Path
) -> None:
    if not elsewhere.address.startswith("https"):
        pytest.skip("this one has no certificates")
    other = Authority(tmp_path).file
    for trust in ({"RAYSIM_TLS_CA_CERT": ""}, {"RAYSIM_TLS_CA_CERT": other}):
        refused = elsewhere.job("list", **trust)
        assert refused.returncode == 1
        assert "has a certificate that is refused here" in refused.stderr
        assert "Name its authority's by RAYSIM_TLS_CA_CERT" in refused.stderr
    assert elsewhere.job("list", "--verify", other).returncode == 1
    known = elsewhere.environment["RAYSIM_TLS_CA_CERT"]
    for verify in (known, "false"):
        listed = elsewhere.job("list", "--verify", verify, RAYSIM_TLS_CA_CERT="")
        assert listed.returncode == 0, listed.stderr
    missing = elsewhere.job("list", "--verify", str(tmp_path / "none"))
    assert missing.returncode == 1
    assert "none does not do" in missing.stderr


def test_a_name_that_all_certificates_have_stands_for_the_address(
    elsewhere: Elsewhere, authority: Authority
) -> None:
    if not elsewhere.address.startswith("https"):
        pytest.skip("this one has no certificates")
    assert elsewhere.job("list", RAYSIM_TLS_NAME="127.0.0.1").returncode == 0
    refused = elsewhere.job("list", RAYSIM_TLS_NAME="another")
    assert "not valid for 'another'" in refused.stderr
