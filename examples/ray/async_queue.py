"""An asynchronous actor as a queue: many callers wait inside one actor at the same time.

A method that is `async def` gives way while it waits, so that a `get` of an empty queue does not hold up
the `put` that will end its waiting. Producers and consumers are tasks that share nothing but the handle.
`ray.util.queue.Queue` is such an actor, ready made.
"""

import asyncio

import ray

PRODUCERS = 3
CONSUMERS = 2
ITEMS = 10


@ray.remote(num_cpus=0)
class Mailbox:
    def __init__(self, room):
        self.items = asyncio.Queue(room)
        self.waiting = 0
        self.most_waiting = 0

    async def put(self, item):
        await self.items.put(item)

    async def get(self):
        self.waiting += 1
        self.most_waiting = max(self.most_waiting, self.waiting)
        item = await self.items.get()
        self.waiting -= 1
        return item

    async def report(self):
        return self.most_waiting, self.items.empty()


@ray.remote(num_cpus=0.5)
def produce(mailbox, producer):
    for number in range(ITEMS):
        ray.get(mailbox.put.remote((producer, number)))  # Waits while the mailbox is full.


@ray.remote(num_cpus=0.5)
def consume(mailbox):
    """Everything until the end is told."""
    taken = []
    while (item := ray.get(mailbox.get.remote())) is not None:
        taken.append(item)
    return taken


async def main():
    ray.init(num_cpus=4)
    mailbox = Mailbox.remote(room=4)
    consumers = [consume.remote(mailbox) for _ in range(CONSUMERS)]
    while (await mailbox.report.remote())[0] < CONSUMERS:
        await asyncio.sleep(0.01)
    print(f"{CONSUMERS} consumers wait in one actor")

    producers = [produce.remote(mailbox, number) for number in range(PRODUCERS)]
    await asyncio.gather(*producers)  # A reference can be awaited like any other future.
    for _ in consumers:
        await mailbox.put.remote(None)

    parts = await asyncio.gather(*consumers)
    items = sorted(item for part in parts for item in part)
    complete = items == [(p, n) for p in range(PRODUCERS) for n in range(ITEMS)]
    print(f"{len(items)} items arrived, each once: {complete}")
    # Sorting by the producer alone leaves its items as they came.
    in_order = all(sorted(part, key=lambda item: item[0]) == sorted(part) for part in parts)
    print(f"those of one producer in their order: {in_order}")
    print(f"the mailbox is empty: {(await mailbox.report.remote())[1]}")


if __name__ == "__main__":
    asyncio.run(main())
