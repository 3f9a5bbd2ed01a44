"""An actor that tests wait at and wait with: nothing is slept for. Never more than two kinds of call."""

import asyncio


def signal_class(ray):
    @ray.remote(num_cpus=0)
    class Signal:
        """Closed until `open`; counts who waits at it."""

        def __init__(self):
            self.event = asyncio.Event()
            self.arrived = asyncio.Condition()
            self.waiting = 0

        async def open(self):
            self.event.set()

        async def wait(self):
            async with self.arrived:
                self.waiting += 1
                self.arrived.notify_all()
            await self.event.wait()

        async def until_waiting(self, count=1):
            """Returns once so many have come."""
            async with self.arrived:
                await self.arrived.wait_for(lambda: self.waiting >= count)

    return Signal
