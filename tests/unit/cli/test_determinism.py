"""Two fresh processes a seed. The program that differs looks at what no program should."""

from pathlib import Path

SETS = """
import raysim as ray

@ray.remote
def same(word):
    return word

ray.init(num_cpus=2)
words = {"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta"}
ray.get([same.options(name=word).remote(word) for word in ORDER(words)])
"""


def test_equal_runs_pass_for_each_seed(raysim):
    Path("app.py").write_text(SETS.replace("ORDER", "sorted"))
    ended = raysim("check-determinism", "app.py", "--seeds", "2", "--seed", "4")
    assert ended.code == 0
    first, second = ended.out.splitlines()
    assert first.startswith("[1/2] seed 4: equal, ")
    assert second.startswith("[2/2] seed 5: equal, ")


def test_a_program_that_follows_hashes_fails_with_the_first_difference(raysim):
    Path("app.py").write_text(SETS.replace("ORDER", "list"))
    ended = raysim("check-determinism", "app.py")
    assert ended.code == 1
    assert "is the first that differs" in ended.out
    assert "in the first run" in ended.out
    assert "Again: raysim check-determinism app.py --seed 0" in ended.out


def test_bad_input_is_told_once(raysim):
    ended = raysim("check-determinism", "nowhere.py")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.splitlines() == ["nowhere.py: there is no such file"]


def test_runs_that_fail_before_they_begin_are_not_taken_for_equal(raysim):
    Path("app.py").write_text("raise RuntimeError('no cluster today')")
    ended = raysim("check-determinism", "app.py")
    assert ended.code == 1
    assert "wrote no record" in ended.err
    assert "no cluster today" in ended.err
