"""Whoever waits pumps: hand-over between threads, the helper, interrupts, time-outs."""

import os
import signal
import sys
import threading
import time

import pytest

from raysim.config import MS
from raysim.protocol.host import Waiter
from raysim.protocol.messages import CheckHealth, Healthy
from raysim_cluster.driver import DriverHost
from raysim_cluster.pump import SWITCH_SECONDS
from tests.cluster.inspection import interrupt_when_blocked
from tests.unit.cluster.peers import Peers, Recorder

SECOND = 1_000 * MS


class Caller:
    """Asks CheckHealth and waits for its Healthy, from any thread."""

    def __init__(self, peers: Peers, node: str = "node-0") -> None:
        self.role = Recorder(Healthy, CheckHealth)
        self.role.on_message = self._on_message
        self.host: DriverHost = peers.driver_host(self.role, node=node)
        self.waiters: dict[int, Waiter] = {}
        self.numbers = iter(range(10**9))
        self.answered_by: set[int] = set()

    def ask(self, other: "Caller", timeout_ns: int | None = 20 * SECOND) -> bool:
        waiter = Waiter()
        with self.host.lock:
            number = next(self.numbers)
            self.waiters[number] = waiter
            self.host.send(other.host.address, CheckHealth(number))
        return self.host.block(waiter, timeout_ns)

    def _on_message(self, sender: object, message: object) -> None:
        if isinstance(message, CheckHealth):
            self.answered_by.add(threading.get_ident())
            self.host.send(sender, Healthy(message.number))
        elif isinstance(message, Healthy):
            self.waiters.pop(message.number).finish()


@pytest.fixture
def pair(peers: Peers) -> tuple[Caller, Caller]:
    return Caller(peers), Caller(peers)


def in_threads(count: int, work: object) -> None:
    errors: list[BaseException] = []

    def run() -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001  (reported by the main thread)
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive(), "a thread was never woken"
    assert errors == []


def test_a_process_whose_user_code_never_pumps_still_answers(pair: tuple[Caller, Caller]) -> None:
    """Nobody of `other` ever blocks: its helper answers."""
    one, other = pair
    for _ in range(50):
        assert one.ask(other)
    assert other.answered_by == {other.host.pump._helper.ident}


def test_a_process_that_computes_still_answers(pair: tuple[Caller, Caller]) -> None:
    one, other = pair
    stop = threading.Event()
    spin = threading.Thread(target=lambda: [None for _ in iter(stop.is_set, True)])
    spin.start()
    try:
        assert one.ask(other)
        assert one.ask(other)
    finally:
        stop.set()
        spin.join()


def test_many_threads_that_wait_are_all_woken(pair: tuple[Caller, Caller]) -> None:
    one, other = pair

    def work() -> None:
        for _ in range(100):
            assert one.ask(other)

    in_threads(6, work)


def test_both_ways_at_once(pair: tuple[Caller, Caller]) -> None:
    one, other = pair
    sides = iter([(one, other), (other, one)] * 2)

    def work() -> None:
        asks, answers = next(sides)
        for _ in range(150):
            assert asks.ask(answers)

    in_threads(4, work)


def test_the_pump_goes_back_and_forth_between_helper_and_user(pair: tuple[Caller, Caller]) -> None:
    """Pauses around the take-over time hit every moment of the hand-over."""
    one, other = pair
    pauses = [0, 0.0005, 0.0018, 0.002, 0.0022, 0.003, 0.005]
    for round_number in range(60):
        assert one.ask(other)
        time.sleep(pauses[round_number % len(pauses)])  # The pause is the thing under test.


def test_a_time_out_ends_the_wait_and_is_no_earlier(pair: tuple[Caller, Caller]) -> None:
    one, _ = pair
    begin = time.monotonic_ns()
    assert not one.host.block(Waiter(), 30 * MS)
    assert time.monotonic_ns() - begin >= 30 * MS


def test_a_time_out_of_zero_takes_what_has_arrived(pair: tuple[Caller, Caller]) -> None:
    one, other = pair
    assert one.ask(other)
    waiter = Waiter()
    assert not one.host.block(waiter, 0)
    waiter.finish()
    assert one.host.block(waiter, 0)


def test_a_waiter_finished_by_another_thread_wakes_the_one_that_pumps(
    pair: tuple[Caller, Caller],
) -> None:
    one, _ = pair
    waiter = Waiter()

    def finish() -> None:
        with one.host.lock:
            waiter.finish()

    timer = threading.Timer(0.02, finish)
    timer.start()
    assert one.host.block(waiter, 20 * SECOND)
    timer.join()


def test_a_timer_set_by_another_thread_wakes_a_pump_that_sleeps_longer(
    pair: tuple[Caller, Caller],
) -> None:
    one, _ = pair
    waiter = Waiter()

    def later() -> None:
        with one.host.lock:
            one.host.call_later(5 * MS, waiter.finish)

    timer = threading.Timer(0.02, later)
    timer.start()
    assert one.host.block(waiter, 20 * SECOND)
    timer.join()


def test_timers_run_while_nobody_waits(pair: tuple[Caller, Caller]) -> None:
    one, _ = pair
    ran = threading.Event()
    with one.host.lock:
        one.host.call_later(1 * MS, ran.set)
    assert ran.wait(20)


def test_ctrl_c_ends_a_wait_and_the_process_works_on(pair: tuple[Caller, Caller]) -> None:
    one, other = pair
    one.host.catch_interrupts()
    interrupt_when_blocked(one.host)
    with pytest.raises(KeyboardInterrupt):
        one.host.block(Waiter(), 60 * SECOND)
    assert one.ask(other)


def test_ctrl_c_waits_until_the_roles_are_left_alone(pair: tuple[Caller, Caller]) -> None:
    """An interrupt inside a role would leave its tables half-changed."""
    one, other = pair
    one.host.catch_interrupts()
    steps: list[str] = []

    def under_the_lock() -> None:
        with one.host.lock:
            os.kill(os.getpid(), signal.SIGINT)
            steps.extend(["a", "role", "finishes", "what", "it", "does"])

    with pytest.raises(KeyboardInterrupt):
        under_the_lock()
    assert steps == ["a", "role", "finishes", "what", "it", "does"]
    assert one.ask(other)


def test_a_handler_of_the_program_is_given_back(pair: tuple[Caller, Caller]) -> None:
    one, _ = pair
    before = signal.getsignal(signal.SIGINT)
    one.host.catch_interrupts()
    assert signal.getsignal(signal.SIGINT) != before
    one.host.release_interrupts()
    assert signal.getsignal(signal.SIGINT) == before


def test_the_interpreter_switches_threads_as_before_once_the_pump_is_closed(peers: Peers) -> None:
    before = sys.getswitchinterval()
    caller = Caller(peers)
    assert sys.getswitchinterval() == pytest.approx(SWITCH_SECONDS) != before
    caller.host.pump.close()
    assert sys.getswitchinterval() == before


def test_an_idle_process_costs_nothing(pair: tuple[Caller, Caller]) -> None:
    """While one thread waits for long the helper rests, instead of looking every 2 ms."""
    one, _ = pair
    pump, waiter = one.host.pump, Waiter()
    rounds: list[int] = []
    seen: list[int] = []
    watch = pump._watch

    def counted() -> None:
        rounds.append(1)
        watch()

    def look() -> None:
        if not pump._helper_rests:  # A loaded machine is late to let it look at all.
            one.host.call_later(5 * MS, look)
            return
        seen.append(len(rounds))
        one.host.call_later(100 * MS, look_again)

    def look_again() -> None:
        seen.append(len(rounds))
        waiter.finish()

    pump._watch = counted
    with one.host.lock:
        one.host.call_later(5 * MS, look)
    assert one.host.block(waiter, 30_000 * MS)
    before, after = seen
    assert after - before <= 1
