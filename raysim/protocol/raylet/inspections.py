"""What a raylet shows of its node's processes and environments when somebody asks for their state. Changes nothing."""

from raysim.protocol.host import RayletHost
from raysim.protocol.messages import Inspected, InspectNode, RegisterDriver
from raysim.protocol.messages.state import AnyRow, Ending, EnvSeen, ProcessSeen
from raysim.protocol.raylet.envs import Envs
from raysim.protocol.raylet.workers import Worker, WorkerPool
from raysim.protocol.spans import KEPT, Spans
from raysim.spec.address import Address
from raysim.spec.ids import WorkerId
from raysim.spec.state import Noun


class Inspections:
    def __init__(self, host: RayletHost, pool: WorkerPool, envs: Envs, spans: Spans) -> None:
        self._host = host
        self._pool = pool
        self._envs = envs
        self._spans = spans
        self._drivers: dict[WorkerId, ProcessSeen] = {}

    def driver_joined(self, driver: Address, register: RegisterDriver) -> None:
        if driver.worker_id not in self._drivers and not register.observer:
            now = self._host.now_ns()
            self._drivers[driver.worker_id] = ProcessSeen(driver, register.pid, True, now)

    def driver_left(self, driver: Address) -> ProcessSeen | None:
        seen = self._drivers.pop(driver.worker_id, None)
        if seen is None:
            return None
        now, ending = self._host.now_ns(), Ending.INTENDED_USER_EXIT
        return ProcessSeen(driver, seen.pid, True, seen.start_ns, now, ending, "the driver ended")

    def worker_ended(self, worker: Worker, reason: str) -> ProcessSeen:
        seen = _seen(worker)
        seen.end_ns = self._host.now_ns()
        seen.ending, seen.detail = worker.ending, reason
        return seen

    def on_inspect(self, sender: Address, asked: InspectNode) -> None:
        rows: list[AnyRow] = []
        if Noun.WORKERS in asked.nouns:
            rows += self._drivers.values()
            rows += map(_seen, self._pool.workers.values())
        if Noun.RUNTIME_ENVS in asked.nouns:
            rows += self._environments()
        if Noun.SPANS in asked.nouns:
            rows += self._spans.rows(KEPT)
        self._host.send(sender, Inspected(asked.number, rows, len(rows)))

    def _environments(self) -> list[EnvSeen]:
        users: dict[str, int] = {}
        for worker in self._pool.workers.values():
            users[worker.env] = users.get(worker.env, 0) + 1
        rows = self._envs.seen()
        for row in rows:
            row.users = users.get(row.runtime_env, 0)
        return rows


def _seen(worker: Worker) -> ProcessSeen:
    return ProcessSeen(worker.address, worker.pid, start_ns=worker.since_ns)
