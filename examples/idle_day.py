"""A day of a small service: an actor that answers requests, which come every ten minutes or so."""

import random
import time

import raysim as ray

DAY_S = 24 * 3600
BETWEEN_REQUESTS_S = 600


@ray.remote
class Service:
    def __init__(self):
        self.answered = 0

    def answer(self, request):
        time.sleep(random.uniform(0.01, 0.2))
        self.answered += 1
        return request * 2

    def count(self):
        return self.answered


@ray.remote
def report(answered):
    return f"{answered} requests answered"


def main():
    ray.init()
    service = Service.remote()
    begin = time.monotonic()
    asked = 0
    while time.monotonic() - begin < DAY_S:
        assert ray.get(service.answer.remote(asked)) == asked * 2
        asked += 1
        time.sleep(random.expovariate(1 / BETWEEN_REQUESTS_S))
    answered = ray.get(service.count.remote())
    assert answered == asked
    print(ray.get(report.remote(answered)))


if __name__ == "__main__":
    main()
