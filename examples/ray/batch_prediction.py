"""Batch prediction: a model that is stored once, and batches of data that go through many predictors.

The model is put into the object store by the driver; each predictor, an actor, takes it when it starts and
keeps it. On one node its arrays are not even copied: all predictors read the same memory. Tasks make the
batches, predictors take them by reference, and the driver only sees counts.
"""

import numpy as np
import ray

CLASSES = 4
FEATURES = 32
BATCHES = 12
ROWS = 500


class Model:
    """Nearest centroid: simple, and large enough to be worth storing once."""

    def __init__(self, seed):
        self.centroids = np.random.default_rng(seed).normal(size=(CLASSES, FEATURES))

    def predict(self, rows):
        distances = ((rows[:, None, :] - self.centroids[None]) ** 2).sum(axis=2)
        return distances.argmin(axis=1)


@ray.remote
def load_batch(number, centroids):
    """Stands for reading a file: rows around the centroids, and what they really are."""
    rng = np.random.default_rng(100 + number)
    labels = rng.integers(CLASSES, size=ROWS)
    rows = centroids[labels] + rng.normal(scale=1.5, size=(ROWS, FEATURES))
    return rows, labels


@ray.remote
class Predictor:
    def __init__(self, model):
        self.model = model

    def predict(self, batch):
        rows, labels = batch
        predicted = self.model.predict(rows)
        counts = np.bincount(predicted, minlength=CLASSES)
        return counts, int((predicted == labels).sum())


def main():
    ray.init(num_cpus=4)
    model = Model(seed=1)
    centroids, stored = ray.put(model.centroids), ray.put(model)
    predictors = [Predictor.remote(stored) for _ in range(2)]

    batches = [load_batch.remote(number, centroids) for number in range(BATCHES)]
    waiting = [
        predictors[number % len(predictors)].predict.remote(batch)
        for number, batch in enumerate(batches)
    ]
    counts, right = np.zeros(CLASSES, dtype=int), 0
    while waiting:
        done, waiting = ray.wait(waiting)
        of_batch, right_ones = ray.get(done[0])
        counts += of_batch
        right += right_ones
    print(f"{counts.sum()} rows in {BATCHES} batches, by class: {counts.tolist()}")
    print(f"right: {right / counts.sum():.2%}")


if __name__ == "__main__":
    main()
