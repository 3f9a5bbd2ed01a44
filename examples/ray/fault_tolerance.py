"""Faults: a task whose worker dies, and an actor that is restarted and goes on from what it had saved.

A task is run again by itself (`max_retries`). An actor needs two things: `max_restarts` makes it again, with
its constructor, and `max_task_retries` repeats the calls that were lost on the way. What it had in memory is
gone; here it saves its state with another actor and begins from there. A repeated call may have run before:
each deposit has a number, and counts once.
"""

import os

import ray


@ray.remote(num_cpus=0)
class Safe:
    """Outlives those who use it."""

    def __init__(self):
        self.saved = {}

    def save(self, key, value):
        self.saved[key] = value

    def load(self, key, default=None):
        return self.saved.get(key, default)

    def first_time(self, key):
        first = key not in self.saved
        self.saved[key] = True
        return first


@ray.remote(max_retries=2)
def fragile(safe):
    if ray.get(safe.first_time.remote("fragile")):
        os._exit(1)  # As if it were out of memory, or its machine gone.
    return "the task ran again"


@ray.remote(max_restarts=2, max_task_retries=2)
class Account:
    def __init__(self, safe):
        self.safe = safe
        self.total, self.seen = ray.get(safe.load.remote("account", (0, set())))
        self.restarted = ray.get_runtime_context().was_current_actor_reconstructed

    def deposit(self, number, amount):
        if number not in self.seen:
            self.total += amount
            self.seen.add(number)
            ray.get(self.safe.save.remote("account", (self.total, self.seen)))
        if amount == 13 and ray.get(self.safe.first_time.remote("unlucky")):
            os._exit(1)  # It is saved, but nobody hears of it: this call is repeated.
        return self.total

    def report(self):
        return self.total, self.restarted


@ray.remote(max_retries=0)
def hopeless():
    os._exit(1)


def main():
    ray.init(num_cpus=4)
    safe = Safe.remote()
    print(ray.get(fragile.remote(safe)))

    account = Account.remote(safe)
    amounts = [5, 8, 13, 21, 34]
    ray.get([account.deposit.remote(number, amount) for number, amount in enumerate(amounts)])
    total, restarted = ray.get(account.report.remote())
    print(f"the account has {total}, as it should: {total == sum(amounts)}; restarted: {restarted}")

    try:
        ray.get(hopeless.remote())
    except ray.exceptions.WorkerCrashedError as error:
        print(f"without retries it is an error: {type(error).__name__}")


if __name__ == "__main__":
    main()
