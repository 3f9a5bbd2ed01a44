"""Where secrets of a cluster must not be: command lines, variables, logs, tables, whatever is printed."""

import os
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest

from raysim_cluster.control import NodeHere, StartNode
from raysim_cluster.session import Session
from tests.cluster.inspection import called, marked
from tests.cluster.started import Machine
from tests.redis_server import PROGRAM, RedisServer

OURS = ("raysim-node", "raysim-gcs", "raysim-forks", "raysim-worker")

COMMANDS = (
    ("doctor",),
    ("list", "tasks", "--detail", "--format", "json"),
    ("list", "cluster-events", "--detail"),
)


@pytest.fixture
def secrets(tmp_path: Path) -> Iterator[dict[str, str]]:
    """By the variables that have them: the token, and where a redis-server is installed, its password."""
    token, password = uuid4().hex, uuid4().hex
    if PROGRAM is None:
        yield {"RAYSIM_AUTH_TOKEN": token}
        return
    server = RedisServer(tmp_path / "redis", "--requirepass", password)
    address = server.address.replace("//", f"//:{password}@")
    yield {"RAYSIM_AUTH_TOKEN": token, "RAYSIM_REDIS_ADDRESS": address}
    server.close()


def test_secrets_are_nowhere_that_others_look(tmp_path: Path, secrets: dict[str, str]) -> None:
    hidden = [secret.rpartition("@")[0].rpartition(":")[2] or secret for secret in secrets.values()]
    with Machine(tmp_path) as machine:
        machine.environment.update(secrets)
        head = machine.raysim("start", "--head", "--port", "0", "--num-cpus", "1")
        address = head.stdout.split("runs at ")[1].split(". ")[0]
        joined = machine.raysim("start", "--address", address, "--num-cpus", "1")
        printed = [head, joined]
        with machine.program(
            """
ray.init(address="auto")
@ray.remote
def variables(): return dict(os.environ)
@ray.remote
def fail(): raise ValueError(str(dict(os.environ)))
kept = Keeper.options(name="kept", lifetime="detached", num_cpus=0).remote()
tell([ray.get(variables.remote()), ray.get(kept.call.remote())])
try: ray.get(fail.remote())
except Exception as error: tell(str(error))
wait()
"""
        ) as program:
            said = [str(program.told()), str(program.told())]
            printed += [machine.raysim(*command) for command in COMMANDS]
            wrong = machine.raysim("start", "--address", address, RAYSIM_AUTH_TOKEN="0" * 32)
            assert "does not know the session's token" in wrong.stderr
            printed.append(wrong)
            pids = marked(machine.mark)
            ours = [pid for pid in pids if called(pid) in OURS]
            assert {called(pid) for pid in ours} == set(OURS)
            places = {
                f"the command line of {called(pid)}": Path(f"/proc/{pid}/cmdline") for pid in pids
            }
            places |= {
                f"the variables of {called(pid)}": Path(f"/proc/{pid}/environ") for pid in ours
            }
            places |= {str(path): path for path in machine.temporary.rglob("*") if path.is_file()}
            assert any(path.suffix == ".log" for path in places.values())
            texts = {name: path.read_bytes() for name, path in places.items()}
            assert [name for name in texts for one in hidden if one.encode() in texts[name]] == []
            program.go_on()
            said.append(program.end())
        printed.append(machine.raysim("stop"))
        shown = [done.stdout + done.stderr for done in printed] + said
        assert [text for text in shown if any(one in text for one in hidden)] == []


def test_what_holds_the_token_does_not_show_it() -> None:
    token = os.urandom(16).hex()
    session = Session("name", token.encode())
    for kind in (StartNode, NodeHere):
        fields = dict.fromkeys(kind.__struct_fields__, 0)
        assert token not in repr(kind(**{**fields, "session": session}))
    assert repr(session) == "Session('name')"
