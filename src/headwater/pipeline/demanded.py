"""Demands as the worker sees them: what somebody waits for is made at once.

Flow      rows, the most urgent first → a task for each → Maker → the notice that it is there.
Promises  what somebody waits for needs no turn, and waits only PATIENCE_S for who makes it in the
          background; what fails is told at once to all who wait, and rests longer each time.
"""

import contextlib
from collections.abc import Callable
from typing import Any

import anyio
import structlog
from anyio.abc import TaskGroup

from headwater.forces.backoff import jitter, pause_s
from headwater.model.errors import BlobNotFound, CannotContinue, Gone, HeadwaterError, StorageFull
from headwater.model.ids import GenerationId, TrackId
from headwater.observe.spans import SERVED
from headwater.observe.traces import following
from headwater.pipeline.ask import Ask
from headwater.pipeline.demands_repository import Demand
from headwater.pipeline.maker import Maker
from headwater.pipeline.replace import replace

OTHERS_S = 0.5  # until a look whether another maker is done with what somebody waits for
PATIENCE_S = 2.0  # those in the background run only when nothing else does: that may be never
FIRST_REST_S, MOST_REST_S = 2.0, 60.0
REMEMBERED = 1024

log = structlog.get_logger(__name__)
Name = tuple[GenerationId, TrackId, int]


class Demanded:
    """One per worker; *woke* is called whenever one of its tasks ends."""

    def __init__(
        self,
        *,
        ask: Ask,
        maker: Maker,
        at_once: int,
        turn_to_warm: Callable[[], Any],
        build: str,
        woke: Callable[[], None],
    ) -> None:
        """*at_once* codec processes of *build* may be urgent; others take their *turn_to_warm*."""
        self._ask, self._maker, self._build, self._woke = ask, maker, build, woke
        self._urgent, self._turn_to_warm = anyio.Semaphore(at_once), turn_to_warm
        self._busy: dict[tuple[Name, bool], anyio.CancelScope] = {}
        self._waits: dict[Name, float] = {}  # since when for who makes it in the background
        self._failed: dict[Name, tuple[int, float]] = {}  # how often, and until when it rests

    @property
    def is_busy(self) -> bool:
        return bool(self._busy)

    @property
    def waited_for(self) -> int:
        """How many things are being made that somebody waits for."""
        return sum(urgent for _, urgent in self._busy)

    def drop_ahead(self) -> None:
        """Stop what is only made ahead of those who watch."""
        for (_, urgent), scope in self._busy.items():
            if not urgent:
                scope.cancel()

    async def take(self, group: TaskGroup) -> None:
        """Start a task in *group* for every demand that has none, if it is its time."""
        demands: list[Demand] = await self._ask("pipeline.list_demands", build=self._build)
        waited_for = any(demand.rank == 0 for demand in demands)
        self._waits = {n: at for n, at in self._waits.items() if n in map(_name, demands)}
        for demand in demands:
            name, urgent = _name(demand), demand.rank == 0
            if (name, True) in self._busy:
                continue
            if not urgent and (waited_for or (name, False) in self._busy):
                continue
            scope = self._busy[name, urgent] = anyio.CancelScope()
            group.start_soon(self._serve_within, scope, demand)

    async def _serve_within(self, scope: anyio.CancelScope, demand: Demand) -> None:
        try:
            with scope:
                await self._serve(demand)
        finally:
            del self._busy[_name(demand), demand.rank == 0]
            self._woke()

    async def _serve(self, demand: Demand) -> None:
        named = {"generation": demand.generation, "track": demand.track, "index": demand.index}
        with following(SERVED, demand.video, rank=demand.rank, **named):
            await self._serve_now(demand)

    async def _serve_now(self, demand: Demand) -> None:
        try:
            work = await self._maker.work_of(*_name(demand))
            if self._failed.get(work, (0, 0.0))[1] > anyio.current_time():
                await self._give_up(demand)
            elif not await self._try(demand, work):
                await anyio.sleep(OTHERS_S)
        except Gone:
            await self._tell("pipeline.forget_generation", generation=demand.generation)
            await self._give_up(demand)
        except HeadwaterError as error:  # an engine is away
            log.warning("demand.failed", name=_name(demand), error=str(error), code=error.code)
            await anyio.sleep(OTHERS_S)

    async def _try(self, demand: Demand, work: Name) -> bool:
        """Make it; False if others are at it. Raises Gone."""
        try:
            made = await self._make(demand)
        except Gone:
            raise
        except CannotContinue as error:
            await replace(self._ask, demand.generation, error, build=self._build)
        except HeadwaterError as error:
            log.warning("demand.failed", name=work, error=str(error), code=error.code)
            if not isinstance(error, StorageFull | BlobNotFound):  # found out at no cost
                self._rest(work)
        except Exception:
            log.exception("demand.failed", name=work)
            self._rest(work)
        else:
            if made:
                self._failed.pop(work, None)
            return made
        await self._give_up(demand)
        return True

    async def _make(self, demand: Demand) -> bool:
        name, urgent, now = _name(demand), demand.rank == 0, anyio.current_time()
        made = await self._maker.make(
            demand.generation,
            [demand.track],
            demand.index,
            urgent=urgent,
            over=now - self._waits.get(name, now) >= PATIENCE_S,
            turn=(lambda: self._urgent) if urgent else self._turn_to_warm,
        )
        if urgent and not made:
            self._waits.setdefault(name, now)
        return made

    def _rest(self, work: Name) -> None:
        """Let *work* rest: whoever asks for it meanwhile hears at once that it failed."""
        now = anyio.current_time()
        if len(self._failed) >= REMEMBERED:
            self._failed = {n: f for n, f in self._failed.items() if f[1] + MOST_REST_S > now}
        times = self._failed.get(work, (0, 0.0))[0] + 1
        rest_s = pause_s(times, first_s=FIRST_REST_S, most_s=MOST_REST_S, jitter=jitter())
        self._failed[work] = (times, now + rest_s)

    async def _give_up(self, demand: Demand) -> None:
        await self._tell(
            "pipeline.give_up_demand",
            generation=demand.generation,
            track=demand.track,
            index=demand.index,
        )

    async def _tell(self, operation: str, **inputs: Any) -> None:
        with contextlib.suppress(HeadwaterError):
            await self._ask(operation, **inputs)
            return
        await anyio.sleep(OTHERS_S)


def _name(demand: Demand) -> Name:
    return (demand.generation, demand.track, demand.index)
