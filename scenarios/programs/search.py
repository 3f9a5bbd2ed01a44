"""Successive halving (Jamieson and Talwalkar, 2016): of 64 configurations the better half goes on at each rung."""

import random
import time

import raysim as ray

CONFIGURATIONS = 64
EPOCHS = 64


@ray.remote
def train(configuration, first, last):
    """The loss after these epochs, 1 s each: it falls towards what the configuration is worth."""
    time.sleep(last - first)
    noise = random.Random(f"{configuration}/{last}").gauss(0, 0.02)
    return configuration + (1 + noise) * 2.0 ** (-last / 8)


def main():
    ray.init()
    rng = random.Random(11)
    alive = [rng.random() for _ in range(CONFIGURATIONS)]
    best = min(alive)
    first, last, epochs = 0, 1, 0
    while len(alive) > 1:
        losses = ray.get([train.remote(one, first, last) for one in alive])
        epochs += (last - first) * len(alive)
        ranked = sorted(zip(losses, alive, strict=True))
        alive = [one for _, one in ranked[: len(alive) // 2]]
        first, last = last, 2 * last
    assert alive == [best]
    full = CONFIGURATIONS * EPOCHS
    assert epochs < full / 8
    print(f"the best of {CONFIGURATIONS} after {epochs} epochs, where a full search has {full}")


if __name__ == "__main__":
    main()
