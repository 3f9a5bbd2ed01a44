"""What a simulated program does for real is told, with its place."""

import logging
import socket
import subprocess
import sys

import raysim as ray
from raysim.journal import Escaped
from raysim.scenario.loading import load_experiment
from raysim.scenario.programs import run_experiment
from raysim.scenario.running import RunOptions
from raysim_sim import escapes


def line_of(text):
    with open(__file__) as source:
        return next(n for n, line in enumerate(source, 1) if line.strip().startswith(text))


def test_a_process_of_a_task_is_told_once_with_its_place(init, caplog):
    journal = init()

    @ray.remote
    def call():
        subprocess.run([sys.executable, "-c", ""], check=True)

    with caplog.at_level(logging.WARNING, "raysim"):
        ray.get([call.remote() for _ in range(3)])
    (note,) = journal.notes(Escaped)
    assert note.what == "starts a real process"
    assert note.place.endswith(f"test_escapes.py:{line_of('subprocess.run')}")
    assert note.place in caplog.text


def test_a_socket_is_told(init):
    journal = init()
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.close()
    assert [note.what for note in journal.notes(Escaped)] == ["uses a real socket"]


def test_what_is_simulated_is_not_told(init, tmp_path):
    import random
    import threading
    import time
    from concurrent.futures import ThreadPoolExecutor

    journal = init()

    @ray.remote
    def work():
        time.sleep(1)
        with ThreadPoolExecutor(2) as pool:
            return list(pool.map(str, [random.random()]))

    thread = threading.Thread(target=lambda: ray.get(work.remote()))
    thread.start()
    thread.join()
    file = tmp_path / "file"
    file.write_text("text")
    assert file.read_text() == "text"
    assert journal.notes(Escaped) == []


def test_nothing_is_told_outside_of_a_world(init, caplog):
    init()
    ray.shutdown()
    with caplog.at_level(logging.WARNING, "raysim"):
        subprocess.run([sys.executable, "-c", ""], check=True)
    assert caplog.text == ""


def test_a_run_tells_where_its_program_left_the_simulation(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(
        "import os, raysim\nraysim.init(backend='sim', num_cpus=1)\nos.system('true')\n"
    )
    experiment = load_experiment(program)
    done = run_experiment(experiment, RunOptions())
    assert done.status == 0
    (note,) = done.run.notes
    assert f"{program.name}:3 starts a real process" in note


def test_nothing_is_told_when_the_interpreter_ends(monkeypatch):
    """Python goes on telling of acts when it has taken the modules apart."""
    told = []
    living = escapes.hook(lambda what, frame: told.append(what), lambda: False)
    ending = escapes.hook(lambda what, frame: told.append(what), lambda: True)
    monkeypatch.setattr(escapes, "_ACTS", None)
    living("socket.bind", ())
    living("open", ())
    ending("socket.bind", ())
    assert told == ["uses a real socket"]
