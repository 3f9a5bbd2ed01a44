"""The table of which faults are performed is that of what the backends have."""

from raysim.faults import FAULTS, Heal
from raysim.faults.support import CLUSTER, SIM, refusal
from raysim_cluster.faults import strikes as cluster
from raysim_sim.faults import strikes as sim


def test_each_backend_performs_what_is_said_of_it() -> None:
    for backend, performed in ((SIM, sim.PERFORMED), (CLUSTER, cluster.PERFORMED)):
        said = {kind for kind in FAULTS if refusal(backend, kind) is None}
        assert said == {*performed, Heal}
