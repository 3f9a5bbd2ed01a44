from pathlib import Path

import pytest

from raysim.policies import names
from raysim.testing import PolicyError, policy_suite

FIRST = "next((one for one, view in nodes.items() if has_room(need, view)), None)"

TAKES = f"""\
found = {FIRST} or self.able(need, nodes)
        if found is not None: nodes[found].available = {{}}
        return found"""

REMEMBERS = """\
type(self).turn = getattr(self, 'turn', 0) + 1
        free = [one for one, view in nodes.items() if has_room(need, view)]
        return free[type(self).turn % len(free)] if free else self.able(need, nodes)"""

DRAWS = "import random; random.random(); return self.able(need, nodes)"

IN_PARTS = FIRST.replace("has_room(need, view)", "fits(need, view.available)")

LAST = "next((one for one, view in reversed(nodes.items()) if fits(need, view.total)), None)"

ABLE = "return (self.some(need, nodes) * count)[: 2 * count]"
SHUFFLED = (
    "import random; some = self.some(need, nodes) * count; return random.sample(some, len(some))"
)
LOADS = "return [one for one, _ in loads]"

BROKEN = {
    "waits although there is room": (f"return {LAST}", "not one that has room now"),
    "gives up although a node is large enough": (f"return {FIRST}", "not one that could ever run"),
    "picks what is too small": ("return next(iter(nodes), None)", r"not (None|one that)"),
    "makes a node up": ("return b'x' * 28", "not there"),
    "takes what it is shown": (TAKES, "changes what it is shown"),
    "draws from elsewhere": (DRAWS, "draws from the module"),
    "remembers in its class": (REMEMBERS, "the second time"),
    "takes many parts of GPUs for one": (
        f"return {IN_PARTS} or self.able(need, nodes)",
        "not one that",
    ),
    "raises": ("return {}[1]", "raises for a request of"),
}


def written(folder: Path, body: str) -> str:
    (folder / "mine.py").write_text(
        "from raysim.policies import fits, has_room\n"
        "class Mine:\n"
        "    name = 'mine'\n"
        "    def able(self, need, nodes):\n"
        f"        room = {FIRST}\n"
        "        big = next((one for one, view in nodes.items() if fits(need, view.total)), None)\n"
        "        return big if room is None else room\n"
        "    def pick(self, need, nodes, local, rng):\n"
        f"        {body}\n"
    )
    return f"{folder / 'mine.py'}:Mine"


@pytest.mark.parametrize("name", names())
def test_policies_that_are_shipped_pass(name):
    policy_suite(name, examples=30)


def test_one_of_a_user_passes(tmp_path):
    policy_suite(written(tmp_path, "return self.able(need, nodes)"))


@pytest.mark.parametrize(("body", "told"), BROKEN.values(), ids=list(BROKEN))
def test_one_that_breaks_a_rule_is_told_which(tmp_path, body, told):
    with pytest.raises(PolicyError, match=told):
        policy_suite(written(tmp_path, body))


QUEUEING = {
    "draws what is too small": ("return list(nodes)[:1] * count", LOADS, "could never run it"),
    "draws too few": ("return self.some(need, nodes)[:1]", LOADS, "draws 1 nodes, for"),
    "settles for too few": (
        ABLE,
        "return [one for one, _ in loads][:1]",
        "settles for 1 places of",
    ),
    "draws from elsewhere": (SHUFFLED, LOADS, "otherwise the second time"),
}


@pytest.mark.parametrize(("draws", "settles", "told"), QUEUEING.values(), ids=list(QUEUEING))
def test_one_that_queues_and_breaks_a_rule_is_told_which(tmp_path, draws, settles, told):
    text = written(tmp_path, "return self.able(need, nodes)")
    with (tmp_path / "mine.py").open("a") as file:
        file.write(
            "    probes = True\n"
            "    def some(self, need, nodes):\n"
            "        return [one for one, view in nodes.items() if fits(need, view.total)]\n"
            "    def candidates(self, need, count, nodes, rng):\n"
            f"        {draws}\n"
            "    def settle(self, count, loads):\n"
            f"        {settles}\n"
        )
    with pytest.raises(PolicyError, match=told):
        policy_suite(text)


def test_one_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="did you mean best_fit"):
        policy_suite("bestfit")


GPUS_OF_ITS_OWN = """\
class Mine:
    name = "mine"

    def pick(self, need, nodes, local, rng):
        able = [one for one, view in nodes.items() if fits(need, view.total)]
        free = [one for one in able if has_room(need, nodes[one])]
        return next(iter(free or able), None)

    def pick_gpus(self, need, view, rng):
        return (0,)
"""


def test_one_that_picks_gpus_without_room_is_told_so(tmp_path):
    (tmp_path / "mine.py").write_text(
        f"from raysim.policies import fits, has_room\n\n\n{GPUS_OF_ITS_OWN}"
    )
    with pytest.raises(PolicyError, match=r"picks the GPUs \[0\], which have no room for"):
        policy_suite(f"{tmp_path / 'mine.py'}:Mine")
