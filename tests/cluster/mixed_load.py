"""A program of tasks, actors, large objects and generators, of which somebody kills a process: see `kills.py`.

It tells where its cluster is, goes on until it reads a line, gets everything that is under way, and tells how that
went.
"""

import json
import os
import sys
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from random import Random
from typing import Any

import raysim as ray
from raysim.util import placement_group, remove_placement_group
from raysim.util.scheduling_strategies import PlacementGroupSchedulingStrategy

PATIENCE_SECONDS = 60
"""For one `get`: one that takes longer does not end at all."""

LARGE = 300_000
"""Bytes: these go through shared memory."""


@ray.remote
def large(byte: int, size: int = LARGE) -> bytes:
    return bytes([byte]) * size


@ray.remote
def first_bytes(*parts: bytes) -> list[int]:
    return [part[0] for part in parts]


@ray.remote(max_retries=0)
def once(number: int, folder: str) -> int:
    """Leaves a line each time that it runs."""
    with Path(folder, "once").open("a") as file:
        file.write(f"{number}\n")
    time.sleep(0.002)
    return number


@ray.remote
def items(count: int) -> Any:
    for number in range(count):
        yield number if number % 2 else bytes([number]) * 120_000


@ray.remote
def nested(depth: int) -> int:
    return 1 + (ray.get(nested.remote(depth - 1)) if depth else 0)


@ray.remote(max_restarts=-1, max_task_retries=-1)
class Patient:
    """Comes back, and is asked again."""

    def square(self, number: int) -> int:
        return number * number


@ray.remote
class Mortal:
    """Does not. Says which call of its life this is."""

    def __init__(self) -> None:
        self._count = 0

    def count(self) -> int:
        self._count += 1
        return self._count


class Judge:
    """What came of every `get`."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self.right = 0
        self.errors: Counter[str] = Counter()
        self.texts: dict[str, str] = {}
        """The last of each."""
        self.wrong: list[str] = []

    def look(self, what: str, expected: Any, get: Any) -> bool:
        """Whether it was right."""
        try:
            found = get()
        except ray.exceptions.GetTimeoutError as error:
            self._note_wrong(f"{what} does not end: {error}")
        except ray.exceptions.RayError as error:
            with self._lock:
                self.errors[type(error).__name__] += 1
                self.texts[type(error).__name__] = str(error)
        except Exception as error:  # noqa: BLE001  (whatever it is, it is no answer)
            self._note_wrong(
                f"{what} raised {type(error).__name__}, which is no error of ours: {error}"
            )
        else:
            if found == expected:
                with self._lock:
                    self.right += 1
                return True
            self._note_wrong(f"{what} is {found!r:.200}, not {expected!r:.200}")
        return False

    def _note_wrong(self, text: str) -> None:
        with self._lock:
            self.wrong.append(text)


class Load:
    def __init__(self, seed: int, folder: str) -> None:
        self.judge = Judge()
        self.stopping = threading.Event()
        self._seed = seed
        self._folder = folder
        self._patient = Patient.remote()

    def tasks(self, chance: Random) -> None:
        parts = [large.remote(chance.randrange(256)) for _ in range(3)]
        local = ray.put(bytes([7]) * LARGE)
        values = first_bytes.remote(*parts, local)
        depth = nested.remote(2)
        for part in parts:
            self.judge.look("a large return", LARGE, lambda part=part: len(_get(part)))
        self.judge.look("a put", 7, lambda: _get(local)[0])
        self.judge.look("a task of large arguments", (4, 7), lambda: _ends(_get(values)))
        self.judge.look("a nested task", 3, lambda: _get(depth))

    def unrepeated(self, chance: Random) -> None:
        """Each is told apart by its number, and may run once."""
        first = chance.randrange(1 << 40) << 8
        calls = [once.remote(first + i, self._folder) for i in range(20)]
        for i, call in enumerate(calls):
            self.judge.look("a task without retries", first + i, lambda call=call: _get(call))

    def actors(self, chance: Random) -> None:
        number = chance.randrange(1_000)
        mortal = Mortal.remote()
        squares = [self._patient.square.remote(number + i) for i in range(5)]
        counts = [mortal.count.remote() for _ in range(5)]
        for i, square in enumerate(squares):
            expected = (number + i) ** 2
            self.judge.look("a call that is repeated", expected, lambda square=square: _get(square))
        for i, count in enumerate(counts):
            self.judge.look("a call of an actor", i + 1, lambda count=count: _get(count))

    def groups(self, chance: Random) -> None:
        """What the GCS writes down: a placement group, and an actor that is found by its name."""
        name, number = f"named-{chance.randrange(1 << 40)}", chance.randrange(1_000)
        group = placement_group([{"CPU": 0.01}] * 2)
        there = PlacementGroupSchedulingStrategy(group)
        named = Patient.options(name=name, num_cpus=0.01, scheduling_strategy=there).remote()
        first = named.square.remote(number)
        # One that could not be made has no name: its runtime environment failed on that node, say.
        if self.judge.look("a call in a placement group", number**2, lambda: _get(first)):
            by_name = ray.get_actor(name).square.remote(4)
            self.judge.look("an actor by its name", 16, lambda: _get(by_name))
        remove_placement_group(group)

    def generators(self, chance: Random) -> None:
        count = chance.randrange(1, 8)
        expected = [number if number % 2 else 120_000 for number in range(count)]
        self.judge.look("a generator", expected, lambda: _drained(items.remote(count)))

    def run(self, name: str) -> None:
        chance = Random(f"{self._seed}/{name}")
        while not self.stopping.is_set():
            try:
                getattr(self, name)(chance)
            except (ray.exceptions.RayError, ray.exceptions.RaySystemError):
                time.sleep(0.01)  # Nothing can be submitted any more: the cluster is gone.


def _get(ref: Any) -> Any:
    return ray.get(ref, timeout=PATIENCE_SECONDS)


def _ends(values: list[int]) -> tuple[int, int]:
    return len(values), values[-1]


def _drained(refs: Any) -> list[int]:
    values = [_get(ref) for ref in refs]
    return [value if isinstance(value, int) else len(value) for value in values]


def _works() -> bool:
    """Whether something new can be done."""
    try:
        return bool(_get(nested.remote(1)) == 2)
    except ray.exceptions.RayError:
        return False


def _descriptors() -> list[str]:
    found = []
    for fd in os.listdir("/proc/self/fd"):
        try:
            found.append(os.readlink(f"/proc/self/fd/{fd}").split(":")[0])
        except OSError:
            continue
    return sorted(found)


def main(seed: int, folder: str, gcs_process: bool) -> None:
    Path(folder).mkdir()
    before = _descriptors()
    context = ray.init(
        backend="cluster",
        num_cpus=2,
        nodes=2,
        object_store_memory=64 << 20,
        world={"gcs_process": gcs_process},
    )
    load = Load(seed, folder)
    _get(nested.remote(1))
    print(json.dumps(context.address_info), flush=True)
    kinds = ["tasks", "unrepeated", "actors", "generators", "groups"]
    with ThreadPoolExecutor(len(kinds)) as threads:
        running = [threads.submit(load.run, kind) for kind in kinds]
        sys.stdin.readline()
        load.stopping.set()
        for one in running:
            one.result()
    works = _works()
    judge = load.judge
    ray.shutdown()
    ran = Path(folder, "once")
    twice = (
        [line for line, count in Counter(ran.read_text().split()).items() if count > 1]
        if ran.exists()
        else []
    )
    if twice:
        judge.wrong.append(f"ran twice, without retries: {twice}")
    after = _descriptors()
    if after != before:
        judge.wrong.append(f"descriptors before {before} and after {after}")
    report = {
        "right": judge.right,
        "errors": judge.errors,
        "texts": judge.texts,
        "wrong": judge.wrong,
        "works": works,
    }
    print(json.dumps(report), flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2], sys.argv[3] == "1")
