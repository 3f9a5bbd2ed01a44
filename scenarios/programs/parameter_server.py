"""A parameter server in rounds and without them: how many gradients of four workers arrive in 30 s each."""

import time

import raysim as ray

WORKERS = 4
LASTING_S = 30
STEP_S = 0.5


@ray.remote(num_cpus=0)
class Server:
    def __init__(self):
        self.weights = 0

    def push(self, *gradients):
        self.weights += sum(gradients)
        return self.weights


@ray.remote(num_cpus=1)
class Worker:
    def gradient(self, weights):
        time.sleep(STEP_S)
        return 1


def in_rounds(server, workers, until):
    weights = 0
    while time.monotonic() < until:
        weights = ray.get(
            server.push.remote(*[worker.gradient.remote(weights) for worker in workers])
        )
    return weights


def without_rounds(server, workers, until):
    weights = 0
    pending = {worker.gradient.remote(weights): worker for worker in workers}
    while time.monotonic() < until:
        (done, *_), _ = ray.wait(list(pending))
        worker = pending.pop(done)
        weights = ray.get(server.push.remote(done))
        pending[worker.gradient.remote(weights)] = worker
    return weights


def main():
    ray.init()
    workers = [Worker.options(scheduling_strategy="SPREAD").remote() for _ in range(WORKERS)]
    ray.get([worker.gradient.remote(0) for worker in workers])
    counts = {}
    for way in (without_rounds, in_rounds):
        counts[way.__name__] = way(Server.remote(), workers, time.monotonic() + LASTING_S)
        print(f"{way.__name__}: {counts[way.__name__]} gradients in {LASTING_S} s")
    assert counts["without_rounds"] > 1.2 * counts["in_rounds"]


if __name__ == "__main__":
    main()
