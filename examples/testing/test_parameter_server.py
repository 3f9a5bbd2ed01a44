"""Training with a parameter server that waits for every worker, and so for ever once a node has died.

pytest examples/testing/test_parameter_server.py              # one test fails, one passes
pytest examples/testing/test_parameter_server.py --raysim-seeds 1000 -k replaces
"""

import time

import raysim as ray
from raysim.exceptions import RayActorError
from raysim.testing import simulate, sometimes
from raysim.util.scheduling_strategies import NodeAffinitySchedulingStrategy

WORKERS, STEPS = 4, 5


@ray.remote(num_cpus=0)
class ParameterServer:
    """Makes a step when all workers have sent their gradients of it."""

    def __init__(self):
        self.steps = 0
        self.gradients = {}

    def push(self, worker, step, gradient):
        if step == self.steps:
            self.gradients[worker] = gradient
        if len(self.gradients) == WORKERS:
            self.gradients = {}
            self.steps += 1

    def done(self):
        return self.steps


@ray.remote
class Worker:
    def __init__(self, number, server):
        self.number = number
        self.server = server

    def train(self):
        while (step := ray.get(self.server.done.remote())) < STEPS:
            time.sleep(0.5)  # The work.
            ray.get(self.server.push.remote(self.number, step, 0.1))


def start():
    """The server is where the driver is: both are lost together, or not at all."""
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    server = ParameterServer.options(scheduling_strategy=here).remote()
    return server, [
        Worker.options(scheduling_strategy="SPREAD").remote(i, server) for i in range(WORKERS)
    ]


def wait_for_the_server():
    """Nobody looks whether the workers are alive."""
    server, workers = start()
    training = [worker.train.remote() for worker in workers]
    while ray.get(server.done.remote()) < STEPS:
        time.sleep(1)
    return len(training)


def replace_the_lost():
    server, workers = start()
    running = {worker.train.remote(): number for number, worker in enumerate(workers)}
    while running:
        [ready], _ = ray.wait(list(running))
        number = running.pop(ready)
        try:
            ray.get(ready)
        except RayActorError:
            sometimes(True, "a worker is replaced")
            workers[number] = Worker.remote(number, server)
            running[workers[number].train.remote()] = number
    return ray.get(server.done.remote())


@simulate(faults="kill_node", within=60)
def test_training_ends_if_one_waits_for_the_server():
    assert wait_for_the_server() == WORKERS


@simulate(faults="kill_node", within=60)
def test_training_ends_if_one_replaces_the_lost():
    assert replace_the_lost() == STEPS
