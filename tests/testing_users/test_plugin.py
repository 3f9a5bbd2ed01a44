"""The pytest plugin as a user meets it: options, what a failing test shows, and the line that replays it."""

import re
import shlex

BANK = """
import random, time
import raysim as ray
from raysim.testing import simulate

@ray.remote(num_cpus=0)
class Account:
    def __init__(self):
        self.balance = 100
    def read(self):
        return self.balance
    def write(self, balance):
        self.balance = balance

@ray.remote
def withdraw(account, amount):
    balance = ray.get(account.read.remote())
    print("has", balance)
    time.sleep(0.05)
    ray.get(account.write.remote(balance - amount))

@simulate(seeds=400)
def test_withdrawals():
    print("a run begins")
    account = Account.remote()
    refs = []
    for _ in range(3):
        refs.append(withdraw.remote(account, 10))
        time.sleep(random.uniform(0, 2))
    ray.get(refs)
    assert ray.get(account.read.remote()) == 70
"""


def test_a_failing_test_shows_all_that_is_known_and_the_line_replays_it(run_pytest):
    done = run_pytest(BANK)
    assert done.returncode == 1, done.stdout
    out = done.stdout
    assert re.search(r"E +raysim: it fails with seed \d+, after \d+ that passed\.", out)
    assert re.search(r"E +cluster: 4 nodes with 2 CPUs", out)
    assert re.search(r"E +No fault struck\.", out)
    assert re.search(r"E +The first difference from .*, which passes:", out)
    assert out.count("a run begins") <= 2, "what other runs printed is not shown"
    line = shlex.split(re.search(r"E +(pytest .*)", out)[1])
    assert line[:2] == ["pytest", "test_program.py::test_withdrawals"]
    again = run_pytest(BANK, *line[2:])
    assert again.returncode == 1
    [error] = re.findall(r"E +(assert \d+ == 70)", out)
    assert re.findall(r"E +(assert \d+ == 70)", again.stdout) == [error]


def test_other_seeds_can_be_asked_for(run_pytest):
    counting = """
import raysim as ray
from raysim.testing import simulate

runs = []

@simulate(seeds=3)
def test_counts():
    runs.append(1)

def test_total():
    print("runs:", len(runs))
"""
    assert "runs: 3" in run_pytest(counting, "-s").stdout
    assert "runs: 7" in run_pytest(counting, "-s", "--raysim-seeds", "7").stdout
    assert "runs: 1" in run_pytest(counting, "-s", "--raysim-replay", "12").stdout
    refused = run_pytest(counting, "--raysim-seeds", "0")
    assert refused.returncode == 4
    assert "--raysim-seeds 0: at least 1" in refused.stderr


def test_import_ray_gives_raysim_where_that_is_asked_for(run_pytest):
    program = """
import ray
from raysim.testing import simulate

@ray.remote
def double(x):
    return 2 * x

@simulate(seeds=2)
def test_it():
    assert ray.get(double.remote(2)) == 4
    assert ray.__name__ == "raysim"
"""
    done = run_pytest(program, "--raysim-as-ray")
    assert done.returncode == 0, done.stdout


def test_a_session_without_simulated_tests_loads_nothing_heavy(run_pytest):
    done = run_pytest(
        """
import sys

def test_it():
    heavy = {"simpy", "greenlet", "msgspec", "cloudpickle", "hypothesis", "raysim_sim"}
    assert not heavy & set(sys.modules)
"""
    )
    assert done.returncode == 0, done.stdout
