"""Redis as the store of a head: who may have it, what comes too late, what is lost, what is said of it."""

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from raysim.spec.tls import TlsFiles
from raysim_cluster import redis_head, redis_store
from raysim_cluster.control import StartGcs, StartNode
from raysim_cluster.examination import of_storage
from raysim_cluster.heads import head_place
from raysim_cluster.redis_head import LOCK, RedisHead
from raysim_cluster.redis_link import RIGHTS, RedisLink
from raysim_cluster.redis_place import named_storage, redis_place
from raysim_cluster.redis_store import RedisControlStore, TablesLostError
from raysim_cluster.storage import DisplacedError
from tests.redis_server import RedisServer, free_port

HOST, PORT = "127.0.0.1", 6379


def head(server: RedisServer, port: int = PORT) -> RedisHead:
    made = head_place(server.address, HOST, port)
    assert isinstance(made, RedisHead)
    return made


def ran(server: RedisServer, port: int = PORT) -> RedisHead:
    """One that runs there."""
    made = head(server, port)
    made.settle(f"{HOST}:{port or 4711}")
    return made


def store_of(one: RedisHead) -> RedisControlStore:
    return RedisControlStore(one.storage, one.session_id)


def of_elsewhere(one: RedisHead) -> RedisHead:
    """As if it were on another machine, of whose processes this one knows nothing."""
    holder = msgspec.json.decode(one.storage.holder, type=redis_head.Holder)
    moved = msgspec.structs.replace(holder, where="elsewhere", machine="elsewhere")
    written = msgspec.json.encode(moved).decode()
    link = RedisLink(one.storage)
    link.ask("SET", one.storage.key(LOCK), written, "KEEPTTL")
    link.close()
    one.storage = msgspec.structs.replace(one.storage, holder=written)
    return one


# --- who has it -------------------------------------------------------------------------------


def test_the_next_head_finds_what_the_last_one_left(redis_server: RedisServer) -> None:
    before = ran(redis_server, port=0)
    before.leave()
    after = head(redis_server, port=0)
    assert (after.returns, after.session_id, after.port) == (True, before.session_id, 4711)


def test_one_that_never_ran_is_nobodys_predecessor(redis_server: RedisServer) -> None:
    head(redis_server).leave()
    assert not head(redis_server).returns


def test_a_second_head_is_refused_while_the_first_one_runs(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (redis_head, redis_store):
        monkeypatch.setattr(module, "LEASE_MS", 2_000)
    store = store_of(ran(redis_server))
    going_on = threading.Event()

    def stay() -> None:
        while not going_on.wait(0.05):
            store.stay()

    thread = threading.Thread(target=stay)
    thread.start()
    try:
        with pytest.raises(ValueError, match=f"Another head runs .* process {os.getpid()} on"):
            head(redis_server)
    finally:
        going_on.set()
        thread.join()
    store.put("jobs", b"1", b"one")
    store.commit()
    store.close()


def test_one_of_this_machine_that_was_killed_is_followed_at_once(
    redis_server: RedisServer,
) -> None:
    """Its lease has longer to go than this test."""
    program = """
import os, signal, sys
from raysim_cluster import redis_head
from raysim_cluster.heads import head_place
redis_head.LEASE_MS = 3_600_000
head_place(sys.argv[1], "127.0.0.1", 6379).settle("127.0.0.1:6379")
os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", program, redis_server.address])
    assert done.returncode == -9
    after = head(redis_server)
    assert after.returns
    link = RedisLink(after.storage)
    assert link.ask("GET", after.storage.key(LOCK)).decode() == after.storage.holder
    link.close()


def test_one_of_another_machine_is_followed_when_its_lease_is_over(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_head, "LEASE_MS", 400)
    before = of_elsewhere(ran(redis_server))
    after = head(redis_server)
    assert (after.returns, after.session_id) == (True, before.session_id)


def test_namespaces_are_apart(redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch) -> None:
    first = ran(redis_server)
    monkeypatch.setenv("RAY_external_storage_namespace", "other")
    second = ran(redis_server, PORT + 1)
    assert second.session_id != first.session_id
    stores = [store_of(first), store_of(second)]
    for number, store in enumerate(stores):
        store.put("jobs", b"1", b"%d" % number)
        store.commit()
    assert [store.load("jobs") for store in stores] == [{b"1": b"0"}, {b"1": b"1"}]
    for store in stores:
        store.close()


def test_a_namespace_is_of_one_address_and_one_version(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran(redis_server).leave()
    with pytest.raises(ValueError, match="Start it with --port 6379, or use another namespace"):
        head(redis_server, PORT + 1)
    monkeypatch.setattr("raysim.__version__", "99")
    with pytest.raises(ValueError, match="Use that version, or another namespace"):
        head(redis_server)  # The one that was refused has not kept it.


# --- what comes too late ----------------------------------------------------------------------


def test_a_gcs_whose_tables_another_head_has_writes_nothing_more(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It stood still for longer than its lease."""
    for module in (redis_head, redis_store):
        monkeypatch.setattr(module, "LEASE_MS", 100)
    old = store_of(of_elsewhere(ran(redis_server)))
    old.put("jobs", b"1", b"one")
    old.commit()
    new = store_of(head(redis_server))
    assert new.load("jobs") == {b"1": b"one"}
    old.put("jobs", b"1", b"late")
    with pytest.raises(DisplacedError, match="is another head's now"):
        old.commit()
    with pytest.raises(DisplacedError):
        old.stay()
    assert new.load("jobs") == {b"1": b"one"}
    old.close()
    new.close()


def test_what_a_life_before_has_sent_changes_nothing(redis_server: RedisServer) -> None:
    """A GCS was killed with a commit on its way, which comes when the next one has read the tables."""
    one = ran(redis_server)
    before, after = store_of(one), store_of(one)
    before.put("jobs", b"1", b"late")
    with pytest.raises(DisplacedError):
        before.commit()
    assert after.load("jobs") == {}
    before.close()
    after.close()


def test_a_commit_that_comes_again_after_the_next_one_changes_nothing(
    redis_server: RedisServer,
) -> None:
    """It was said twice, as the first connection seemed dead, and that was only slow."""
    store = store_of(ran(redis_server))
    sent = []
    run = store._link.run

    def noting(*question: object) -> object:
        sent.append(question)
        return run(*question)  # type: ignore[arg-type]  # What was asked, as it was asked.

    store._link.run = noting  # type: ignore[method-assign]  # Between the store and its server.
    for row in (b"one", b"two"):
        store.put("jobs", b"1", row)
        store.commit()
    assert run(*sent[0]) == 1
    assert store.load("jobs") == {b"1": b"two"}
    store.close()


# --- what is away, and what is lost -----------------------------------------------------------


def test_a_commit_waits_until_redis_is_back(
    redis_server: RedisServer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    store = store_of(ran(redis_server))
    redis_server.kill()
    store.put("jobs", b"1", b"one")
    done = threading.Event()

    def commit() -> None:
        store.commit()
        done.set()

    thread = threading.Thread(target=commit)
    thread.start()
    assert not done.wait(0.5)
    redis_server.start()
    thread.join()
    assert store.load("jobs") == {b"1": b"one"}
    first, *_, last = [record.message for record in caplog.records]
    assert "does not answer" in first
    assert "nothing is acknowledged" in first
    assert "answers again" in last
    assert len(caplog.records) == 2  # Not one for each attempt.
    store.close()


def test_a_commit_waits_while_redis_has_no_memory_left(redis_server: RedisServer) -> None:
    one = ran(redis_server)
    store, link = store_of(one), RedisLink(one.storage)
    link.ask("CONFIG", "SET", "maxmemory", "1")
    store.put("jobs", b"1", b"one")
    thread = threading.Thread(target=store.commit)
    thread.start()
    thread.join(0.3)
    assert thread.is_alive()
    link.ask("CONFIG", "SET", "maxmemory", "0")
    thread.join()
    assert store.load("jobs") == {b"1": b"one"}
    store.close()
    link.close()


def test_one_that_comes_back_without_its_tables_is_found_out(redis_server: RedisServer) -> None:
    one = ran(redis_server)
    store = store_of(one)
    store.put("jobs", b"1", b"one")
    store.commit()
    redis_server.kill()
    redis_server.forget()
    redis_server.start()
    with pytest.raises(TablesLostError, match="appendonly yes"):
        store.stay()
    store.put("jobs", b"2", b"two")
    with pytest.raises(TablesLostError):
        store.commit()
    with pytest.raises(DisplacedError, match="what a head had there is gone"):
        store_of(one)
    store.close()


# --- what does not do -------------------------------------------------------------------------


@pytest.fixture
def nobody() -> Iterator[str]:
    """Who listens, and says what no Redis says."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            with listening.accept()[0] as sock:
                sock.recv(1024)
                sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        yield f"redis://127.0.0.1:{listening.getsockname()[1]}"
        thread.join()


def test_who_is_no_redis_is_told_from_one(nobody: str) -> None:
    with pytest.raises(ConnectionError, match="is no Redis"):
        head_place(nobody, HOST, PORT)


def test_one_that_does_not_listen_is_told() -> None:
    with pytest.raises(ConnectionError, match="does not answer"):
        head_place(f"redis://127.0.0.1:{free_port()}", HOST, PORT)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--cluster-enabled", "yes", "--cluster-port", str(free_port())), "It is a Redis Cluster"),
        (("--maxmemory", "1gb", "--maxmemory-policy", "allkeys-lru"), "Set it to noeviction"),
        (("--replicaof", "127.0.0.1 1"), "It is a replica"),
    ],
)
def test_one_that_would_lose_tables_is_refused(
    tmp_path: Path, options: tuple[str, ...], why: str
) -> None:
    server = RedisServer(tmp_path / "redis", *options)
    try:
        with pytest.raises(ValueError, match=why):
            head(server)
    finally:
        server.close()


def test_the_doctor_asks_the_redis_that_the_environment_names(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    (found,) = of_storage(redis_server.address)
    assert (found.verdict, found.remedy) == ("ok", "")
    assert found.found.startswith("Redis ")
    assert redis_server.address in found.found
    assert list(of_storage("")) == []
    forgetful = RedisServer(tmp_path / "other", "--appendonly", "no")
    (note,) = of_storage(forgetful.address)
    forgetful.close()
    assert note.verdict == "note"
    assert "appendonly yes" in note.remedy
    (gone,) = of_storage(forgetful.address)
    assert gone.verdict == "wrong"
    assert "does not answer" in gone.found
    assert gone.remedy.startswith("Start it")


# --- the password -----------------------------------------------------------------------------


def test_the_password_is_found_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    password = "s3cr3t-of-redis"
    server = RedisServer(tmp_path / "redis", "--requirepass", password)
    file = tmp_path / "password"
    file.write_text(f"{password}\n")
    try:
        with pytest.raises(ConnectionError, match="Set RAYSIM_REDIS_PASSWORD"):
            head(server)
        monkeypatch.setenv("RAYSIM_REDIS_PASSWORD_PATH", str(file))
        file.chmod(0o644)
        with pytest.raises(ValueError, match="chmod 600"):
            head(server)
        file.chmod(0o600)
        found = ran(server)
        found.leave()
        for kind in (StartNode, StartGcs):
            fields = dict.fromkeys(kind.__struct_fields__, 0)
            assert password not in repr(kind(**{**fields, "storage": found.storage}))
        assert password not in f"{found.storage} {found.storage!r}"
        monkeypatch.delenv("RAYSIM_REDIS_PASSWORD_PATH")
        monkeypatch.setenv("REDIS_PASSWORD", f"not-{password}")
        with pytest.raises(ConnectionError, match="does not let us in") as refused:
            head(server)
        assert password not in str(refused.value)
        monkeypatch.setenv("REDIS_PASSWORD", password)
        assert head(server).returns
    finally:
        server.close()


def test_a_user_with_the_rights_of_a_head_is_enough(
    redis_server: RedisServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = head(redis_server)
    admin = RedisLink(one.storage)
    one.leave()
    monkeypatch.setenv("RAYSIM_REDIS_USERNAME", "head")
    monkeypatch.setenv("RAYSIM_REDIS_PASSWORD", "of-head")
    admin.ask("ACL", "SETUSER", "head", "on", ">of-head", *RIGHTS.split(), "-eval", "-evalsha")
    with pytest.raises(ConnectionError, match="forbids what a head needs") as refused:
        head(redis_server)
    assert RIGHTS in str(refused.value)
    admin.ask("ACL", "SETUSER", "head", "reset", "on", ">of-head", *RIGHTS.split())
    admin.close()
    mine = ran(redis_server)
    store = store_of(mine)
    store.put("jobs", b"1", b"one")
    store.commit()
    store.delete("jobs", b"1")
    store.commit()
    store.stay()
    assert store.load("jobs") == {}
    store.close()
    mine.leave()


def test_redis_may_be_reached_by_tls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tls_files: TlsFiles
) -> None:
    """It asks for a certificate, too, and shows one of the authority that is named."""
    port = free_port()
    own = ("--tls-cert-file", tls_files.cert, "--tls-key-file", tls_files.key)
    listens = ("--tls-port", str(port), *own, "--tls-ca-cert-file", tls_files.ca)
    server = RedisServer(tmp_path / "redis", *listens)
    address = f"rediss://127.0.0.1:{port}"
    try:
        with pytest.raises(ConnectionError, match="certificate"):
            head_place(address, HOST, PORT)
        monkeypatch.setenv("RAYSIM_REDIS_CA_CERT", tls_files.ca)
        monkeypatch.setenv("RAYSIM_REDIS_CLIENT_CERT", tls_files.cert)
        monkeypatch.setenv("RAYSIM_REDIS_CLIENT_KEY", tls_files.key)
        head_place(address, HOST, PORT).leave()
    finally:
        server.close()


def test_addresses_are_read_in_all_their_forms() -> None:
    written = "rediss://ada:p%40ss@10.0.0.7:7000/3"
    found = redis_place(written, False, {"RAYSIM_EXTERNAL_STORAGE_NAMESPACE": "mine"})
    assert str(found) == "rediss://10.0.0.7:7000/3, namespace mine"
    assert (found.username, found.password, found.tls) == ("ada", "p@ss", True)
    assert str(redis_place("redis://localhost", False, {})) == (
        "redis://localhost:6379/0, namespace default"
    )


def test_variables_name_a_store_as_rays_do() -> None:
    assert named_storage({}) == ""
    assert named_storage({"RAY_REDIS_ADDRESS": "127.0.0.1:7000"}) == "redis://127.0.0.1:7000"
    both = {"RAY_REDIS_ADDRESS": "redis://a", "RAYSIM_REDIS_ADDRESS": "rediss://b"}
    assert named_storage(both) == "rediss://b"


@pytest.mark.parametrize(
    "written",
    [
        "redis://",
        "redis://:secret@/0",
        "redis://u:secret@host:port",
        "redis://u:secret@127.0.0.1/zero",
        "redis://u:secret@127.0.0.1?db=3",
    ],
)
def test_what_is_no_address_is_refused_without_showing_it(written: str) -> None:
    with pytest.raises(ValueError, match="redis://host:port/db") as refused:
        redis_place(written, False, {})
    assert "secret" not in str(refused.value)


def test_another_machine_s_redis_wants_tls() -> None:
    with pytest.raises(ValueError, match="Use rediss://"):
        redis_place("redis://10.0.0.7", False, {})
    assert redis_place("redis://10.0.0.7", True, {}).host == "10.0.0.7"


def test_a_namespace_is_a_name() -> None:
    with pytest.raises(ValueError, match=r"'a b' .* is no name"):
        redis_place("redis://127.0.0.1", False, {"RAY_external_storage_namespace": "a b"})
