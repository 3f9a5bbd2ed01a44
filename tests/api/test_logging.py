"""What workers print and log, as the driver's user sees it."""

import json
import logging
import re
from importlib import import_module

import pytest

from tests.api.patience import until

COLOUR = re.compile("\x1b\\[[0-9;]*m")


@pytest.fixture
def printed(capfd):
    """All that was printed since, without colours: `printed.out`, `printed.err`."""

    class Printed:
        out = ""
        err = ""

        def look(self):
            out, err = capfd.readouterr()
            self.out += COLOUR.sub("", out)
            self.err += COLOUR.sub("", err)
            return self

        def until(self, pattern, stream="out"):
            until(lambda: re.search(pattern, getattr(self.look(), stream)))
            found = re.search(pattern, getattr(self, stream))
            assert found is not None
            return found

    return Printed()


@pytest.fixture
def loggers():
    """The root logger, and the library's, as they were before."""
    kept = {
        name: (logging.getLogger(name).level, list(logging.getLogger(name).handlers))
        for name in (None, "ray", "raysim")
    }
    yield
    for name, (level, handlers) in kept.items():
        logging.getLogger(name).setLevel(level)
        logging.getLogger(name).handlers[:] = handlers
    logging.getLogger("ray").propagate = True


def test_what_calls_print_says_whose_it_is(fresh, printed):
    ray = fresh(log_to_driver=True)

    @ray.remote
    def shout():
        import sys

        print("one", "two")
        print("half", end=" ")
        print("whole\nnext")
        print("to stderr", file=sys.stderr)

    @ray.remote
    class Plain:
        def say(self):
            print("from a plain actor")

    @ray.remote
    class Named:
        def __repr__(self):
            print("in its own repr")
            return "Named(7)"

        def say(self):
            print("from a named actor")

    ray.get([shout.remote(), Plain.remote().say.remote(), Named.remote().say.remote()])
    for line in ("one two", "half whole", "next"):
        printed.until(rf"\(shout pid=\d+(, ip=[^)]*)?\) {line}\n")
    printed.until(r"\(shout pid=\d+(, ip=[^)]*)?\) to stderr\n", "err")
    printed.until(r"\(Plain pid=\d+(, ip=[^)]*)?\) from a plain actor\n")
    printed.until(r"\(Named\(7\) pid=\d+(, ip=[^)]*)?\) from a named actor\n")


def test_prints_of_the_driver_have_no_prefix(fresh, printed):
    ray = fresh(log_to_driver=True)
    print("before")
    ray.get(ray.remote(lambda: print("in a task")).remote())
    print("after")
    printed.until(r"\) in a task\n")
    assert "before\n" in printed.out
    assert re.search(r"^after\n", printed.out, re.MULTILINE)


def test_workers_can_be_kept_quiet(fresh, printed):
    ray = fresh(log_to_driver=False)
    ray.get(ray.remote(lambda: print("never seen")).remote())
    assert "never seen" not in printed.look().out


# --- LoggingConfig ---


def test_json_lines_of_driver_and_workers_say_what_ran(fresh, lib, printed, loggers):
    config = lib.LoggingConfig(encoding="JSON", additional_log_standard_attrs=["name"])
    ray = fresh(log_to_driver=True, logging_config=config)

    @ray.remote
    def work():
        logging.getLogger("mine").info("in a task", extra={"shelf": 3})
        logging.getLogger("mine").debug("too low")

    @ray.remote
    class Actor:
        def work(self):
            logging.getLogger().warning("in an actor")
            return ray.get_runtime_context().get_actor_id()

    context = ray.get_runtime_context()
    logging.getLogger().info("in the driver")
    ray.get(work.remote())
    actor = Actor.options(name="called").remote()
    actor_id = ray.get(actor.work.remote())

    def line(message):
        return json.loads(printed.until(rf'\{{[^\n]*"message": "{message}"[^\n]*\}}', "err")[0])

    said = line("in the driver")
    assert (said["levelname"], said["name"]) == ("INFO", "root")
    assert said["job_id"] == context.get_job_id()
    assert said["node_id"] == context.get_node_id()
    assert "task_id" not in said
    task = line("in a task")
    assert (task["name"], task["shelf"], task["task_name"]) == ("mine", 3, "work")
    assert task["task_func_name"].endswith(".work")
    assert task["worker_id"] != said["worker_id"]
    assert task["filename"] == "test_logging.py"
    assert abs(task["timestamp_ns"] - said["timestamp_ns"]) < 60e9
    of_actor = line("in an actor")
    assert of_actor["actor_id"] == actor_id
    assert of_actor["actor_name"] == "called"
    assert "too low" not in printed.err


def test_text_lines_end_with_the_same(fresh, lib, printed, loggers):
    config = lib.LoggingConfig(encoding="TEXT", log_level="DEBUG")
    ray = fresh(log_to_driver=True, logging_config=config)

    @ray.remote
    def work():
        logging.getLogger("mine").debug("low enough")

    ray.get(work.remote())
    found = printed.until(r"DEBUG test_logging.py:\d+ -- low enough ([^\n]*)\n", "err")
    assert "task_name=work" in found[1]
    assert re.search(r"job_id=\d+ worker_id=[0-9a-f]+ node_id=[0-9a-f]+ ", found[1])


def test_a_wrong_logging_config_is_refused(lib):
    with pytest.raises(ValueError, match="Invalid encoding type: XML"):
        lib.LoggingConfig(encoding="XML")
    with pytest.raises(ValueError, match="Unknown python logging standard attribute: shoe"):
        lib.LoggingConfig(additional_log_standard_attrs=["shoe"])


def test_a_logging_config_is_a_dict_and_back(lib):
    config = lib.LoggingConfig(encoding="JSON", additional_log_standard_attrs=["name"])
    assert config.to_dict() == {
        "encoding": "JSON",
        "log_level": "INFO",
        "additional_log_standard_attrs": ["name"],
    }
    assert lib.LoggingConfig.from_dict({**config.to_dict(), "more": 1}) == config


def test_the_library_s_own_logger_has_the_level_that_was_asked_for(fresh, lib, loggers):
    ray = fresh(logging_level="warning")
    own = logging.getLogger(lib.__name__)
    assert own.level == logging.WARNING
    ray.shutdown()
    fresh(logging_level=logging.DEBUG, logging_format="%(message)s!")
    assert own.level == logging.DEBUG
    assert [h.formatter._fmt for h in own.handlers if h.formatter] == ["%(message)s!"]


def test_the_library_s_own_logger_can_be_left_alone(fresh, lib, loggers):
    logging.getLogger(lib.__name__).setLevel(logging.ERROR)
    fresh(configure_logging=False, logging_level="debug")
    assert logging.getLogger(lib.__name__).level == logging.ERROR
    assert logging.getLogger(lib.__name__).handlers == []


# --- JobConfig ---


@pytest.fixture
def job_config(lib):
    return import_module(f"{lib.__name__}.job_config").JobConfig


def test_a_job_config_says_what_the_job_is(fresh, job_config):
    config = job_config(
        runtime_env={"env_vars": {"SHELF": "3"}},
        ray_namespace="attic",
        default_actor_lifetime="detached",
        metadata={"of": "me"},
    )
    ray = fresh(job_config=config)
    assert ray.get_runtime_context().namespace == "attic"

    @ray.remote
    class Kept:
        def shelf(self):
            import os

            return os.environ["SHELF"]

    kept = Kept.options(name="kept").remote()
    ray.get(kept.shelf.remote())
    del kept
    again = ray.get_actor("kept")
    assert ray.get(again.shelf.remote()) == "3"
    ended = Kept.options(name="ended", lifetime="non_detached").remote()
    ray.get(ended.shelf.remote())
    del ended

    def gone():
        try:
            ray.get_actor("ended")
        except ValueError:
            return True
        return False

    until(gone)
    assert ray.get(again.shelf.remote()) == "3"


def test_actors_of_tasks_have_the_job_s_lifetime_too(fresh, job_config):
    ray = fresh(job_config=job_config(default_actor_lifetime="detached", ray_namespace="attic"))

    @ray.remote
    class Kept:
        def here(self):
            return 1

    @ray.remote
    def make():
        kept = Kept.options(name="made", num_cpus=0).remote()
        return ray.get(kept.here.remote())

    assert ray.get(make.remote()) == 1
    assert ray.get(ray.get_actor("made").here.remote()) == 1


def test_arguments_of_init_go_before_the_job_config(fresh, job_config):
    ray = fresh(
        job_config=job_config(runtime_env={"env_vars": {"A": "1"}}, ray_namespace="attic"),
        runtime_env={"env_vars": {"B": "2"}},
        namespace="cellar",
    )
    assert ray.get_runtime_context().namespace == "cellar"
    seen = ray.remote(lambda: [__import__("os").environ.get(name) for name in "AB"]).remote()
    assert ray.get(seen) == [None, "2"]


def test_a_wrong_job_config_is_refused(job_config):
    with pytest.raises(ValueError, match="detached"):
        job_config(default_actor_lifetime="for ever")
    with pytest.raises(TypeError, match="code search path"):
        job_config(code_search_path="here")


def test_a_job_config_can_be_changed_and_made_of_json(job_config):
    config = job_config.from_json({"metadata": {"a": "1"}, "ray_namespace": "attic"})
    config.set_metadata("b", "2")
    config.set_ray_namespace("cellar")
    assert config.metadata == {"a": "1", "b": "2"}
    assert config.ray_namespace == "cellar"
    assert config.runtime_env == {}
    config.ensure_logging_config({"encoding": "JSON", "unknown": 1})
    config.ensure_logging_config({"encoding": "TEXT"})
    assert config.py_logging_config.encoding == "JSON"
