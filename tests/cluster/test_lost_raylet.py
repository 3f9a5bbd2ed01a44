"""The driver's own node is gone: nothing that it waits for will come, and it says so."""

import os
import signal

import pytest

import raysim


def test_a_get_that_waits_raises_when_the_node_is_gone(start):
    context = start(num_cpus=1)
    pid = int(context.address_info["node_pids"].split(",")[0])

    @raysim.remote
    def ended():
        os.kill(pid, signal.SIGKILL)
        signal.pause()

    with pytest.raises(raysim.exceptions.LocalRayletDiedError, match="Start another one"):
        raysim.get(ended.remote())
