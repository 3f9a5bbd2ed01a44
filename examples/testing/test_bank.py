"""A bank whose tellers lose money when two of them have one account in hand: a lost update.

pytest examples/testing/test_bank.py                          # one test fails, one passes
pytest examples/testing/test_bank.py --raysim-seeds 1000 -k kept
"""

import random
import time

import raysim as ray
from raysim.testing import simulate, sometimes

ACCOUNTS, TELLERS, TRANSFERS, OPENING = 8, 3, 4, 100


@ray.remote(num_cpus=0)
class Account:
    def __init__(self):
        self.balance = OPENING

    def read(self):
        return self.balance

    def write(self, balance):
        self.balance = balance

    def change(self, amount):
        self.balance += amount


def careless(source, target, amount):
    """Between a read and its write, another teller may have been there."""
    balances = ray.get([source.read.remote(), target.read.remote()])
    ray.get(source.write.remote(balances[0] - amount))
    ray.get(target.write.remote(balances[1] + amount))


def careful(source, target, amount):
    """An actor does one thing after another: what it does in one call, nobody else disturbs."""
    ray.get([source.change.remote(-amount), target.change.remote(amount)])


@ray.remote
def teller(accounts, transfer):
    for _ in range(TRANSFERS):
        time.sleep(random.uniform(0, 10))
        source, target = random.sample(accounts, 2)
        transfer(source, target, random.randint(1, 50))


def day(transfer):
    """What the bank has in the evening."""
    accounts = [Account.remote() for _ in range(ACCOUNTS)]
    ray.get([teller.remote(accounts, transfer) for _ in range(TELLERS)])
    balances = ray.get([account.read.remote() for account in accounts])
    sometimes(min(balances) < 0, "somebody has overdrawn")
    return sum(balances)


@simulate(seeds=500)
def test_money_is_kept_by_careless_tellers():
    assert day(careless) == ACCOUNTS * OPENING


@simulate(seeds=100)
def test_money_is_kept_by_careful_tellers():
    assert day(careful) == ACCOUNTS * OPENING
