from pathlib import Path

import pytest

from raysim.policies.orders import order_names
from raysim.testing import PolicyError, queue_order_suite

FIRST = "next((task for task in queue.waiting.values() if queue.fits(task)), None)"

REMEMBERS = f"""\
type(self).turn = getattr(self, 'turn', 0) + 1
        return {FIRST} if type(self).turn % 2 or not queue.running else None"""

BROKEN = {
    "chooses what has no room": (
        "return next(iter(queue.waiting.values()), None)",
        "which does not wait or has no room, for a node with",
    ),
    "makes a task up": (f"import copy; return copy.copy({FIRST})", "which does not wait"),
    "serves nobody": ("return None", "serves nobody, though nothing runs"),
    "takes what it is shown": (
        f"found = {FIRST}; queue.waiting.clear(); return found",
        "changes what it is shown",
    ),
    "draws from elsewhere": (f"import random; random.random(); return {FIRST}", "from the module"),
    "remembers in its class": (REMEMBERS, "the second time"),
    "raises": ("return {}[1]", "raises for a node with"),
}


def written(folder: Path, body: str, more: str = "") -> str:
    code = (
        f"class Mine:\n    name = 'mine'\n    def next(self, queue, rng):\n        {body}\n{more}"
    )
    (folder / "mine.py").write_text(code)
    return f"{folder / 'mine.py'}:Mine"


@pytest.mark.parametrize("name", [*order_names(), "priority(preempt=true)"])
def test_orders_that_are_shipped_pass(name):
    queue_order_suite(name, examples=20)


def test_one_of_a_user_passes(tmp_path):
    queue_order_suite(written(tmp_path, f"return {FIRST}"))


def test_one_that_ranks_passes(tmp_path):
    (tmp_path / "mine.py").write_text(
        "class Mine:\n    name = 'mine'\n    def rank(self, task):\n        return task.priority, task.user\n"
    )
    queue_order_suite(f"{tmp_path / 'mine.py'}:Mine")


@pytest.mark.parametrize(("body", "told"), BROKEN.values(), ids=list(BROKEN))
def test_one_that_breaks_a_rule_is_told_which(tmp_path, body, told):
    with pytest.raises(PolicyError, match=told):
        queue_order_suite(written(tmp_path, body))


def test_one_that_stops_what_cannot_stop_is_told(tmp_path):
    more = "    def victim(self, queue, rng):\n        return next(iter(queue.running.values()), None)\n"
    with pytest.raises(PolicyError, match="stops what does not run or cannot stop"):
        queue_order_suite(written(tmp_path, f"return {FIRST}", more))


def test_one_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="did you mean easy"):
        queue_order_suite("eazy")
