import re
from pathlib import Path

import pytest

from raysim.scenario.contenders import contenders_of, fields_of

OWN = """
class Mine:
    name = "mine"

    def rank(self, task):
        return 0


class Both(Mine):
    def pick(self, need, nodes, local, rng):
        return local


class Neither:
    name = "neither"
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "own.py").write_text(OWN)
    return tmp_path


@pytest.mark.parametrize(
    ("contender", "fields"),
    [
        ("best_fit", {"policy": "best_fit"}),
        ("heft", {"policy": "heft"}),
        ("power_of_d(d=3)", {"policy": "power_of_d(d=3)"}),
        ("priority(preempt=true)", {"queue": "priority(preempt=true)"}),
        ("sjf + best_fit", {"policy": "best_fit", "queue": "sjf"}),
    ],
)
def test_a_name_is_found_where_it_is_known(contender, fields):
    assert fields_of(contender) == fields


def test_a_class_of_ones_own_is_of_the_kind_whose_methods_it_has(folder):
    (one,) = contenders_of(["own.py:Mine"], [], folder)
    assert fields_of(one) == {"queue": f"{folder}/own.py:Mine"}


@pytest.mark.parametrize(
    ("contender", "told"),
    [
        ("sjff", "neither a policy nor a queue order; did you mean sjf?"),
        ("sjf + easy", "'sjf' and 'easy' are each a queue order"),
        ("own.py:Both", "is a policy and a queue order; give each a name"),
        ("own.py:Neither", "is no class with a method `pick`"),
        ("own.py:Min", "there is no 'Min'"),
        ("none.py:Mine", "No such file"),
    ],
)
def test_a_name_that_is_not_clear_is_told(folder, monkeypatch, contender, told):
    monkeypatch.chdir(folder)
    with pytest.raises(ValueError, match=re.escape(told)):
        fields_of(contender)


def test_orders_go_with_each_policy_and_else_stand_alone():
    there = Path.cwd()
    assert contenders_of(["hybrid", "spread"], [], there) == ("hybrid", "spread")
    assert contenders_of([], ["sjf", "fifo"], there) == ("sjf", "fifo")
    assert contenders_of(["hybrid", "spread"], ["sjf", "fifo"], there) == (
        *("hybrid + sjf", "hybrid + fifo"),
        *("spread + sjf", "spread + fifo"),
    )
