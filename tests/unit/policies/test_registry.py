from pathlib import Path
from random import Random

import pytest

from raysim.config import Config
from raysim.policies import create, located, names
from raysim.policies.base import Policy

MINE = """
import raysim.policies.fit

class Mine:
    name = "mine"
    def __init__(self, share: float, deep: bool = False, label: str = ""):
        if share > 1:
            raise ValueError(f"share={share:g} is more than all")
        self.given = share, deep, label
    def pick(self, need, nodes, local, rng):
        return None

class NoPolicy: ...
"""


@pytest.fixture
def mine(tmp_path: Path) -> str:
    (tmp_path / "mine.py").write_text(MINE)
    return f"{tmp_path / 'mine.py'}:Mine"


def refusal(text: str) -> str:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - what it says is what is tested.
        create(text, Config())
    return str(caught.value)


@pytest.mark.parametrize("name", names())
def test_a_name_makes_the_policy_of_that_name(name: str) -> None:
    assert create(name, Config()).name == name


def test_each_is_an_object_of_its_own() -> None:
    assert create("spread", Config()) is not create("spread", Config())


def test_arguments_are_read_as_the_class_declares_them(mine: str) -> None:
    made = create(f"{mine}(share=0.25, deep=true, label=x)", Config())
    assert vars(made) == {"given": (0.25, True, "x")}


def test_a_class_in_a_module_is_found() -> None:
    assert create("raysim.policies.fit:BestFit", Config()).name == "best_fit"


def test_a_package_may_make_its_own_known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "theirs.py").write_text(MINE.replace("share: float", "share: float = 0"))
    told = tmp_path / "theirs-1.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: theirs\nVersion: 1\n")
    (told / "entry_points.txt").write_text("[raysim.policies]\ntheirs = theirs:Mine\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert "theirs" in names()
    assert create("theirs", Config()).name == "mine"


def test_hybrid_is_configured_as_ray_s_is_and_by_its_arguments(monkeypatch) -> None:
    seen: list[dict[str, float]] = []

    class Spy:
        def __init__(self, threshold: float, fraction: float, absolute: int) -> None:
            seen.append({"threshold": threshold, "fraction": fraction, "absolute": absolute})

        name = "hybrid"

        def pick(self, need, nodes, local, rng):
            return None

    monkeypatch.setattr("raysim.policies.registry.Hybrid", Spy)
    config = Config(scheduler_spread_threshold=0.3, scheduler_top_k_absolute=7)
    create("hybrid(fraction=0.4)", config)
    assert seen == [{"threshold": 0.3, "fraction": 0.4, "absolute": 7}]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("hybird", "unknown policy 'hybird'; did you mean hybrid?"),
        ("best-fit", "did you mean best_fit?"),
        ("xyz", "unknown policy 'xyz'; known are hybrid, spread"),
        ("power_of_d(e=3)", "policy power_of_d has no argument 'e'; known are d"),
        ("power_of_d(d=two)", "policy power_of_d: d must be a whole number, not 'two'"),
        ("power_of_d(d=0)", "policy 'power_of_d(d=0)': it draws at least one node, not d=0"),
        ("power_of_d(3)", "'3' in 'power_of_d(3)' has no name; write it as d=3"),
        ("power_of_d(d=3", "its bracket is not closed"),
        ("spread(d=3)", "policy spread has no argument 'd'"),
        ("nowhere:Mine", "policy 'nowhere:Mine' cannot be loaded: No module named 'nowhere'"),
        ("nowhere.py:Mine", "policy 'nowhere.py:Mine' cannot be loaded"),
        ("raysim.policies.fit:BestFitt", "there is no 'BestFitt'; did you mean BestFit?"),
        ("raysim.policies.fit:best_with_room", "is no class with a method `pick`"),
    ],
)
def test_what_cannot_be_is_refused_with_what_was_meant(text: str, told: str) -> None:
    assert told in refusal(text)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ("", "needs 'share'"),
        ("(share=2)", "share=2 is more than all"),
        ("(share=x)", "share must be a number, not 'x'"),
        ("(share=1, deep=yes)", "deep must be true or false, not 'yes'"),
    ],
)
def test_arguments_of_a_user_s_class_are_judged(mine: str, arguments: str, told: str) -> None:
    assert told in refusal(mine + arguments)


def test_a_file_that_is_no_python_is_refused(tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text("class Mine")
    assert "cannot be loaded" in refusal(f"{tmp_path / 'odd.py'}:Mine")


def test_a_file_is_found_from_everywhere(mine: str) -> None:
    folder = Path(mine.partition(":")[0]).parent
    assert located("mine.py:Mine(share=1)", folder) == f"{mine}(share=1)"
    assert located("module:Mine", folder) == "module:Mine"
    assert located("spread", folder) == "spread"
    assert create(f"{mine}(share=1)", Config()).pick({}, {}, None, Random(0)) is None


def test_policies_satisfy_the_protocol() -> None:
    some: list[Policy] = [create(name, Config()) for name in names()]
    assert len({type(one) for one in some}) == len(some)
