"""Any passing around of references, with messages delayed in any way: no object goes too early, none stays."""

from collections import deque

from hypothesis import given, settings
from hypothesis import strategies as st

from raysim.protocol.messages import Message
from raysim.protocol.owner.entries import ObjectState
from raysim.spec.address import Address
from raysim.spec.ids import IdSource, ObjectId, driver_task, job_id
from tests.unit.protocol.fake_host import address
from tests.unit.protocol.owner.rig import OwnerRig

PROCESSES = 4


class Pass:
    """A call that carries a reference: its sender holds it until the receiver is done with the call."""

    def __init__(self, object_id: ObjectId, owner: Address) -> None:
        self.object_id = object_id
        self.owner = owner


class Done:
    def __init__(self, object_id: ObjectId) -> None:
        self.object_id = object_id


class Cluster:
    def __init__(self) -> None:
        self.rigs = [OwnerRig(address(f"p{n}", f"node-{n}")) for n in range(PROCESSES)]
        for number, rig in enumerate(self.rigs):
            rig.ids = IdSource(driver_task(job_id(number + 1)))
        self.links: dict[tuple[int, int], deque[object]] = {}
        self.local: list[tuple[int, ObjectId, Address]] = []
        """Who has a Python reference to what."""

    def number(self, to: Address) -> int:
        found = [n for n, rig in enumerate(self.rigs) if rig.host.address == to]
        return found[0] if found else -1  # A raylet, which nobody asks here.

    def link(self, source: int, target: int) -> deque[object]:
        return self.links.setdefault((source, target), deque())

    def gather(self) -> None:
        for source, rig in enumerate(self.rigs):
            rig.host.advance(0)
            for to, message in rig.host.take():
                if (target := self.number(to)) >= 0:
                    self.link(source, target).append(message)

    # What may happen.

    def put(self, at: int) -> None:
        rig = self.rigs[at]
        self.local.append((at, rig.put(), rig.host.address))

    def wrap(self, at: int, pick: int) -> None:
        """Put a value that has one of this process's references inside."""
        mine = [(object_id, owner) for n, object_id, owner in self.local if n == at]
        if mine:
            rig = self.rigs[at]
            object_id, owner = mine[pick % len(mine)]
            self.local.append(
                (at, rig.put(contained=[rig.ref(object_id, owner)]), rig.host.address)
            )

    def pass_on(self, pick: int, target: int) -> None:
        if not self.local:
            return
        source, object_id, owner = self.local[pick % len(self.local)]
        if source != target:
            self.rigs[source].found(object_id).uses += 1
            self.link(source, target).append(Pass(object_id, owner))

    def drop(self, pick: int) -> None:
        if self.local:
            at, object_id, _ = self.local.pop(pick % len(self.local))
            self.rigs[at].objects.drop_local(object_id)

    def deliver(self, pick: int) -> None:
        busy = [key for key, link in self.links.items() if link]
        if busy:
            source, target = busy[pick % len(busy)]
            self.receive(source, target, self.links[source, target].popleft())

    def receive(self, source: int, target: int, what: object) -> None:
        rig = self.rigs[target]
        if isinstance(what, Pass):
            rig.objects.borrow(what.object_id, what.owner).local += 1
            self.local.append((target, what.object_id, what.owner))
            link = self.link(target, source)
            rig.objects.after_acknowledgements(lambda: link.append(Done(what.object_id)))
        elif isinstance(what, Done):
            rig.objects.drop_use(what.object_id)
        else:
            assert isinstance(what, Message)
            rig.tell(self.rigs[source].host.address, what)

    # What must hold.

    def check(self) -> None:
        for _, object_id, owner in self.local:
            entry = self.rigs[self.number(owner)].entries.get(object_id)
            assert entry is not None, f"{object_id.hex()} was freed while it was referenced"
            assert entry.state == ObjectState.INLINE

    def settle(self) -> None:
        while any(self.links.values()):
            self.deliver(0)
            self.gather()


actions = st.lists(
    st.tuples(
        st.sampled_from(["put", "wrap", "pass", "pass", "pass", "drop", "drop", *["deliver"] * 5]),
        st.integers(0, 50),
        st.integers(0, PROCESSES - 1),
    ),
    min_size=60,  # Short programs, which are drawn most otherwise, hold no race.
    max_size=150,
)


@settings(max_examples=150)
@given(actions)
def test_objects_live_exactly_as_long_as_somebody_refers_to_them(program):
    cluster = Cluster()
    for action, pick, process in program:
        if action == "put":
            cluster.put(process)
        elif action == "wrap":
            cluster.wrap(process, pick)
        elif action == "pass":
            cluster.pass_on(pick, process)
        elif action == "drop":
            cluster.drop(pick)
        else:
            cluster.deliver(pick)
        cluster.gather()
        cluster.check()
    cluster.settle()
    cluster.check()
    while cluster.local:
        cluster.drop(0)
    cluster.gather()
    cluster.settle()
    for rig in cluster.rigs:
        rig.assert_nothing_left()
