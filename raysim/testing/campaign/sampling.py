"""Draws a program, operation by operation. Never what it is mostly made of: see mix."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec

from raysim.tape import Draws, Tape
from raysim.testing.campaign import operations as ops
from raysim.testing.campaign.mix import WEIGHTS, Mix, sample_mix
from raysim.testing.campaign.operations import Op, Program


class _Sampler:
    def __init__(self, draws: Draws, places: Draws, mix: Mix) -> None:
        self.draws = draws
        self.places = places
        self.mix = mix
        self.numbers: list[int] = []
        """Operations that give a number."""
        self.actors: list[int] = []
        self.inner: list[int] = []
        self.groups: list[int] = []

    def op(self, number: int) -> Op:
        kind = self.draws.weighted(self.mix.weights)
        made = _MAKE[kind](self, number)
        if made is None:
            made = self._task(number)
        if made.kind in ops.PLACED:
            made = msgspec.structs.replace(made, place=self.places.weighted(self.mix.places))
        if made.kind in ops.GIVES_NUMBER:
            self.numbers.append(number)
        return made

    def _picks(self, most: int) -> tuple[int, ...]:
        """Of the latest more often than of old ones."""
        known = self.numbers[-self.mix.latest :]
        if not known:
            return ()
        count = self.draws.between(0, most)
        return tuple(known[-1 - self.draws.below(len(known))] for _ in range(count))

    def _task(self, number: int) -> Op:
        draws = self.draws
        return Op(
            number,
            ops.TASK,
            self._picks(3),
            seconds=draws.one_of(self.mix.seconds),
            size=draws.one_of(self.mix.sizes),
            flag=draws.chance(0.1),
        )

    def _nested(self, number: int) -> Op:
        return Op(number, ops.NESTED, self._picks(3), seconds=self.draws.one_of(self.mix.seconds))

    def _tree(self, number: int) -> Op:
        draws = self.draws
        return Op(
            number,
            ops.TREE,
            seconds=draws.one_of(self.mix.seconds),
            count=draws.between(1, 3),
            flag=draws.chance(0.3),
        )

    def _put(self, number: int) -> Op:
        return Op(number, ops.PUT, size=self.draws.one_of(self.mix.sizes))

    def _boom(self, number: int) -> Op:
        return Op(number, ops.BOOM, self._picks(1))

    def _actor(self, number: int) -> Op:
        if len(self.actors) >= 3:
            return self._call(number) or self._task(number)
        self.actors.append(number)
        return Op(number, ops.ACTOR, flag=self.draws.chance(0.2))

    def _call(self, number: int) -> Op | None:
        if not self.actors:
            return None
        draws = self.draws
        return Op(
            number,
            ops.CALL,
            self._picks(2),
            draws.one_of(self.actors),
            draws.one_of(self.mix.seconds[:-1]),
            draws.one_of(self.mix.sizes),
        )

    def _keep(self, number: int) -> Op | None:
        if not self.actors or not self.numbers:
            return None
        return Op(number, ops.KEEP, self._picks(2)[:1], self.draws.one_of(self.actors))

    def _give(self, number: int) -> Op | None:
        return Op(number, ops.GIVE, actor=self.draws.one_of(self.actors)) if self.actors else None

    def _kill(self, number: int) -> Op | None:
        if not self.actors:
            return None
        actor, for_good = self.draws.one_of(self.actors), self.draws.chance(0.4)
        return Op(number, ops.KILL, actor=actor, flag=for_good)

    def _stream(self, number: int) -> Op:
        draws = self.draws
        return Op(
            number,
            ops.STREAM,
            seconds=draws.one_of(self.mix.seconds[:3]),
            size=draws.one_of(self.mix.sizes),
            count=draws.between(1, 5),
            flag=draws.chance(0.3),
        )

    def _inner(self, number: int) -> Op:
        self.inner.append(number)
        draws = self.draws
        size, fetched = draws.one_of(self.mix.sizes), draws.chance(0.5)
        seconds = draws.one_of(self.mix.seconds[:3]) if fetched else 0.0
        return Op(number, ops.INNER, seconds=seconds, size=size, flag=fetched)

    def _through(self, number: int) -> Op | None:
        if not self.inner:
            return None
        draws = self.draws
        inner = draws.one_of(self.inner)
        self.inner.append(number)
        return Op(
            number,
            ops.THROUGH,
            (inner,),
            seconds=draws.one_of(self.mix.seconds),
            size=draws.one_of(self.mix.sizes),
        )

    def _relay(self, number: int) -> Op | None:
        if not self.inner:
            return None
        draws = self.draws
        return Op(
            number, ops.RELAY, (draws.one_of(self.inner),), seconds=draws.one_of(self.mix.seconds)
        )

    def _ungroup(self, number: int) -> Op | None:
        """Perhaps before it has its bundles."""
        return Op(number, ops.UNGROUP, (self.groups[-1],)) if self.groups else None

    def _group(self, number: int) -> Op:
        draws = self.draws
        self.groups.append(number)
        return Op(
            number,
            ops.GROUP,
            seconds=draws.one_of(self.mix.seconds[:3]),
            count=draws.between(1, 3),
            word=draws.one_of(ops.STRATEGIES),
        )

    def _cancel(self, number: int) -> Op | None:
        if not self.numbers:
            return None
        pick = self.numbers[-1 - self.draws.below(min(4, len(self.numbers)))]
        return Op(number, ops.CANCEL, (pick,), flag=self.draws.chance(0.3))

    def _get(self, number: int) -> Op:
        return Op(number, ops.GET, self._picks(3), seconds=self.draws.one_of((5.0, 0.1, 0.0)))

    def _wait(self, number: int) -> Op:
        return Op(number, ops.WAIT, self._picks(4), seconds=self.draws.one_of((1.0, 0.01)))

    def _drop(self, number: int) -> Op:
        """Of references within results the latest, which may be on its way to somebody."""
        latest = self.inner[-1:] if self.draws.chance(0.5) else []
        return Op(number, ops.DROP, (*self._picks(2), *latest))

    def _sleep(self, number: int) -> Op:
        return Op(number, ops.SLEEP, seconds=self.draws.one_of((0.01, 0.1, 0.5, 2.0)))


_MAKE: Final[dict[str, Callable[[_Sampler, int], Op | None]]] = {
    kind: getattr(_Sampler, f"_{kind}") for kind in WEIGHTS
}


def sample_program(tape: Tape, operations: int) -> Program:
    """So many operations."""
    mix = sample_mix(Draws(tape, "workload: mix"))
    sampler = _Sampler(Draws(tape, "workload"), Draws(tape, "workload: places"), mix)
    return tuple(sampler.op(number) for number in range(operations))
