"""A parameter server: one actor holds the weights of a model, several workers send it gradients.

In rounds ("synchronous"), the server waits for the gradients of all workers before it makes a step, so the
result does not depend on who is faster. Without rounds ("asynchronous"), it makes a step for whichever
gradient comes first and gives that worker the newest weights: nobody waits for the slowest, and the
gradients are a little out of date. Both learn the same plane.
"""

import numpy as np
import ray

TRUE_WEIGHTS = np.array([2.0, -3.0, 0.5, 1.0])
WORKERS = 3


@ray.remote
class ParameterServer:
    def __init__(self, size, rate):
        self.weights = np.zeros(size)
        self.rate = rate
        self.steps = 0

    def apply(self, *gradients):
        """Top-level references arrive as values: the gradients of one step."""
        self.weights = self.weights - self.rate * np.mean(gradients, axis=0)
        self.steps += 1
        return self.weights

    def read(self):
        return self.weights

    def count(self):
        return self.steps


@ray.remote
class Worker:
    """Has a part of the data, and keeps it."""

    def __init__(self, seed, samples=200):
        rng = np.random.default_rng(seed)
        self.inputs = rng.normal(size=(samples, len(TRUE_WEIGHTS)))
        self.targets = self.inputs @ TRUE_WEIGHTS + rng.normal(scale=0.01, size=samples)

    def gradient(self, weights):
        errors = self.inputs @ weights - self.targets
        return 2 * self.inputs.T @ errors / len(errors)


def in_rounds(server, workers, rounds):
    weights = server.read.remote()
    for _ in range(rounds):
        gradients = [worker.gradient.remote(weights) for worker in workers]
        weights = server.apply.remote(*gradients)  # Nothing is waited for here but by the actors.
    return ray.get(weights)


def as_they_come(server, workers, steps):
    weights = server.read.remote()
    at_work = {worker.gradient.remote(weights): worker for worker in workers}
    for _ in range(steps):
        (gradient,), _ = ray.wait(list(at_work))
        worker = at_work.pop(gradient)
        weights = server.apply.remote(gradient)
        at_work[worker.gradient.remote(weights)] = worker
    return ray.get(weights)


def main():
    ray.init(num_cpus=4)
    workers = [Worker.remote(seed) for seed in range(WORKERS)]
    for name, learn, steps in (("rounds", in_rounds, 60), ("as they come", as_they_come, 180)):
        server = ParameterServer.remote(len(TRUE_WEIGHTS), rate=0.1)
        weights = learn(server, workers, steps)
        shown = [float(weight) for weight in np.round(weights, 1)]
        print(f"{name}: {ray.get(server.count.remote())} steps, the weights are {shown}")


if __name__ == "__main__":
    main()
