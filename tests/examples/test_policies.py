"""`examples/policies` and docs/policies.md: the policy in it is the example, and runs in both worlds."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from raysim.policies import names
from raysim.policies.eviction import EVICTIONS
from raysim.policies.orders import order_names
from raysim.testing import PolicyError, policy_suite

OWN = "examples/policies/quietest.py:Quietest(reserve=1)"


def run(repository: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "raysim", "run", *arguments]
    return subprocess.run(
        command, cwd=repository, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.mark.parametrize("backend", ["sim", "cluster"])
def test_a_program_runs_under_a_policy_of_one_s_own(repository: Path, backend: str) -> None:
    program = "examples/ray/tree_reduce.py"
    plain = run(repository, program, "--backend", "sim")
    under = run(repository, program, "--policy", OWN, "--backend", backend, "--nodes", "2")
    assert under.returncode == 0, under.stderr
    assert under.stdout == plain.stdout
    assert f"--policy '{repository / OWN}'" in under.stderr or f"--policy '{OWN}'" in under.stderr


def test_a_scenario_names_the_file_beside_it(repository: Path, tmp_path: Path) -> None:
    done = run(repository, "examples/policies/quietest.yaml", "--out", str(tmp_path / "run"))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "makespan_s < 30s: holds" in done.stdout


def test_it_is_the_policy_that_decides(repository: Path) -> None:
    scenario = "examples/policies/quietest.yaml"
    runs = [
        run(repository, scenario, "--no-out", "--policy", policy)
        for policy in ("first_fit", "spread")
    ]
    digests = [re.search(r"digest +(\w+)", one.stdout) for one in runs]
    assert all(digests), [one.stderr for one in runs]
    assert digests[0] != digests[1]


def test_it_keeps_the_rules(repository: Path) -> None:
    policy_suite(f"{repository / OWN}")


def test_the_document_shows_the_example_and_names_every_policy(repository: Path) -> None:
    document = (repository / "docs" / "policies.md").read_text("utf-8")
    code = (repository / "examples" / "policies" / "quietest.py").read_text("utf-8")
    assert code.partition("\n\n\n")[2] in document
    assert len(code.partition("\n\n\n")[2].strip().splitlines()) <= 20
    named = re.findall(r"^\| `(\w+)", document, re.MULTILINE)
    assert sorted(named) == sorted([*names(), *order_names(), *EVICTIONS.names()])


def test_the_document_shows_what_a_broken_policy_is_told(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = (repository / "examples" / "policies" / "quietest.py").read_text("utf-8")
    (tmp_path / "mine.py").write_text(code.replace("has_room(need, nodes[one])", "True"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(PolicyError) as caught:
        policy_suite("mine.py:Quietest")
    document = (repository / "docs" / "policies.md").read_text("utf-8")
    assert f"```text\nPolicyError: {caught.value}\n```" in document, str(caught.value)
