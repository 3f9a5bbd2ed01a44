"""A processor that is to handle each order exactly once, and forgets between the work and its checkpoint.

pytest examples/testing/test_processor.py                     # one test fails, one passes
pytest examples/testing/test_processor.py --raysim-seeds 1000 -k one_transaction
"""

import time

import raysim as ray
from raysim.testing import simulate, sometimes

ORDERS = 20


class Database:
    """Stands for a database outside the cluster: no crash of a simulated process touches it.

    All simulated processes run in this one, so a global of the module is the same for all of them.
    """

    def __init__(self):
        self.shipped = []
        self.checkpoint = 0

    def ship(self, order):
        time.sleep(0.005)
        self.shipped.append(order)

    def save(self, checkpoint):
        time.sleep(0.005)
        self.checkpoint = checkpoint

    def ship_and_save(self, order, checkpoint):
        """One transaction: it is done as a whole or not at all."""
        time.sleep(0.01)
        self.shipped.append(order)
        self.checkpoint = checkpoint


database = Database()


@ray.remote(max_restarts=-1, max_task_retries=-1)
class TwoSteps:
    """After a crash between the two, the order is shipped again."""

    def run(self):
        for order in range(database.checkpoint, ORDERS):
            database.ship(order)
            database.save(order + 1)


@ray.remote(max_restarts=-1, max_task_retries=-1)
class OneTransaction:
    def run(self):
        sometimes(database.checkpoint, "a processor goes on where another has ended")
        for order in range(database.checkpoint, ORDERS):
            database.ship_and_save(order, order + 1)


def process(processor):
    database.__init__()
    ray.get(processor.remote().run.remote())
    return database.shipped


@simulate(faults="crashes")
def test_each_order_is_shipped_once_in_two_steps():
    assert process(TwoSteps) == list(range(ORDERS))


@simulate(faults="crashes")
def test_each_order_is_shipped_once_in_one_transaction():
    assert process(OneTransaction) == list(range(ORDERS))
