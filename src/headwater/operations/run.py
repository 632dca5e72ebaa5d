"""The runner: every question to the system goes through the same steps, in this order.

limit → permission (who) → cache → session → use case (with decide()) → commit → purge, publish

Faces call run() by an operation's name. Nothing else opens a transaction (operations/units.py), so
a use case cannot forget a commit and a face cannot hold one open while it streams.
"""

import inspect
import struct
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import replace
from hashlib import blake2b
from typing import Any, get_type_hints

import msgspec
import structlog

from headwater.engines.work import Work
from headwater.model.actor import Actor, ActorKind, Role
from headwater.model.errors import Forbidden, HeadwaterError, Unauthenticated
from headwater.model.freshness import VISITORS, Consistency, OwnWrites, Primary, Seen, Stale
from headwater.model.job import Job
from headwater.observe.metrics import OPERATION_SECONDS, OPERATIONS
from headwater.observe.traces import NOTHING, Opened, is_recording, span
from headwater.operations.idempotency import InFlight, Keyed
from headwater.operations.limits import enforce
from headwater.operations.operation import Access, CacheFor, Idempotency, Operation
from headwater.operations.reading import read
from headwater.operations.units import ActorUnits, Engines

log = structlog.get_logger("headwater.operations")
TOLD = frozenset({"generation", "index", "track", "video"})  # inputs that a span may name
AS_OF = struct.Struct(">d")  # before a kept answer: of when it is, 0 if its row allows its age
Once = Callable[[Work], Awaitable[bool]]
INTERNAL = "Something went wrong on our side. It has been written down; please try again later."


class Bound:
    """An operation ready to be called: which services it wants, and whether it wants a session."""

    def __init__(self, row: Operation, services: Mapping[str, Any]) -> None:
        names = inspect.signature(row.does).parameters
        self.row = row
        self.wants_work = "work" in names
        self.wants = frozenset(names) & {"actor", "units", "now"}
        self.services = {name: services[name] for name in names if name in services}
        self.inputs = frozenset(names) - self.wants - {"work"} - self.services.keys()
        self.reads = row.idempotency is Idempotency.READ
        self.rule = row.consistency if self.reads else Primary()
        if isinstance(self.rule, Stale) and row.cache:  # what is kept grows older
            within_s = max(self.rule.within_s - row.cache.fresh_s, 0.0)
            self.rule = replace(self.rule, within_s=within_s)
        self.told = tuple(TOLD & self.inputs)
        self.ok = OPERATIONS.labels(row.name, "ok")
        self.seconds = OPERATION_SECONDS.labels(row.name)
        answer = get_type_hints(row.does)["return"] if row.cache or self._is_keyed else None
        self.decode = msgspec.msgpack.Decoder(answer).decode if answer is not None else None
        self.cached_as = f"{row.name}|{_shape(answer)}" if row.cache else ""

    def rule_for(self, actor: Actor) -> Consistency:
        """Return how new an answer *actor* is owed."""
        is_known = actor.kind is not ActorKind.ANONYMOUS or (actor.seen and actor.seen.position)
        return VISITORS if isinstance(self.rule, OwnWrites) and not is_known else self.rule

    def span(self, inputs: Mapping[str, Any]) -> Opened:
        """Open its span: what changes a video, or works for one, is part of that one's making."""
        said = {name: inputs[name] for name in self.told if name in inputs}
        if isinstance(job := inputs.get("job"), Job):
            said |= {"video": job.video, "job": job.kind}
        video = said.pop("video", None) or inputs.get("video_id")
        if video is not None and not self.reads:
            return span(self.row.name, video=video, **said)
        opened = span(self.row.name, **said)
        if video is not None:
            opened.tell(video=video)
        return opened

    @property
    def _is_keyed(self) -> bool:
        return self.row.idempotency is Idempotency.KEY


class Runner:
    """Runs the rows of a catalogue. One per process; safe for any number of tasks at once.

    *services* are the engines and values that use cases ask for by keyword name. `work`, `units`,
    `actor` and `now` are the runner's own: a use case with `work` gets one unit of work, one
    without opens what it needs from `units`.
    """

    def __init__(
        self, catalogue: Iterable[Operation], *, engines: Engines, services: Mapping[str, Any]
    ) -> None:
        self._engines = engines
        self._bound = {row.name: Bound(row, services) for row in catalogue}
        self._in_flight = InFlight()

    @property
    def operations(self) -> tuple[Operation, ...]:
        return tuple(bound.row for bound in self._bound.values())

    async def run(
        self,
        name: str,
        actor: Actor,
        /,
        *,
        idempotency_key: str | None = None,
        on_repeat: Callable[[], None] | None = None,
        once: Once | None = None,
        **inputs: Any,
    ) -> Any:
        """Answer operation *name* for *actor*.

        *on_repeat* is called before an answer that an earlier request under the same key got. What
        lives in one unit of work is done only if *once*, asked first in that unit, says so; what
        opens units of its own is done whenever it is asked for.

        Raises:
            HeadwaterError: what was expected to go wrong, as the use case named it; everything else
                is logged and becomes the base class with code "internal" and no details.
        """
        bound = self._bound[name]
        clock = self._engines.clock
        started = clock.monotonic()
        try:
            with bound.span(inputs) if is_recording() else NOTHING:
                answer, is_repeat = await self._steps(bound, actor, idempotency_key, inputs, once)
        except HeadwaterError as error:
            OPERATIONS.labels(name, error.code).inc()
            raise
        except Exception as error:
            OPERATIONS.labels(name, "internal").inc()
            log.exception("operation_failed", operation=name, account=actor.account)
            raise HeadwaterError(INTERNAL) from error
        bound.ok.inc()
        bound.seconds.observe(clock.monotonic() - started)
        if is_repeat and on_repeat is not None:
            on_repeat()
        return answer

    async def _steps(
        self,
        bound: Bound,
        actor: Actor,
        idempotency_key: str | None,
        inputs: dict[str, Any],
        once: Once | None,
    ) -> tuple[Any, bool]:
        """Return the answer, and whether an earlier request got it."""
        row = bound.row
        if inputs.keys() - bound.inputs:
            unknown = ", ".join(sorted(inputs.keys() - bound.inputs))
            raise TypeError(f"{row.name} takes no input named {unknown}")
        if row.limit is not None:
            now = self._engines.clock.now()
            await enforce(self._engines.rates, row.name, row.limit, actor, now=now)
        permit(row.permission.who, actor)
        if row.cache is not None:
            return await self._cached(bound, row.cache, actor, inputs), False
        if once is not None and bound.wants_work:
            return await self._call_once(bound, actor, inputs, once), False
        if idempotency_key is None or row.idempotency is not Idempotency.KEY:
            return await self._call(bound, actor, inputs), False
        keyed = Keyed(actor.limit_key, idempotency_key, row.name, inputs)
        with self._in_flight.hold(keyed):
            if bound.wants_work:
                return await self._once_in_one_unit(bound, actor, inputs, keyed)
            return await self._once(bound, actor, inputs, keyed)

    async def _cached(
        self, bound: Bound, rule: CacheFor, actor: Actor, inputs: dict[str, Any]
    ) -> Any:
        clock, seen = self._engines.clock, actor.seen or Seen()
        is_own = isinstance(bound.rule, OwnWrites)
        if is_own and actor.kind is ActorKind.KEY and actor.seen and not seen.position:
            return await self._call(bound, actor, inputs)  # any write may be theirs

        async def make() -> bytes:
            asked = Seen(seen.position)
            answer = await self._call(bound, replace(actor, seen=asked), inputs)
            seen.position = asked.position
            as_of = clock.now() - asked.age_s if asked.age_s else 0.0
            return AS_OF.pack(as_of) + msgspec.msgpack.encode(answer)

        who = "" if rule.shared else (actor.account or actor.kind)
        if is_own and seen.position:
            who = f"{who}@{seen.position}"  # another's copy may be from before that write
        body = await self._engines.cache.get_or_make(
            f"{bound.cached_as}|{who}|{msgspec.json.encode(inputs).decode()}",
            make,
            fresh_s=rule.fresh_s,
            stale_s=rule.stale_s,
            tags=tuple(tag.format_map(inputs) for tag in rule.tags),
        )
        assert bound.decode is not None
        (as_of,) = AS_OF.unpack_from(body)
        if as_of:
            seen.age_s = max(seen.age_s, clock.now() - as_of)
        return bound.decode(body[AS_OF.size :])

    async def _call(self, bound: Bound, actor: Actor, inputs: dict[str, Any]) -> Any:
        if not bound.wants_work:
            return await bound.row.does(**self._arguments(bound, actor, inputs))
        does, arguments = bound.row.does, self._arguments(bound, actor, inputs)
        if bound.reads:
            return await read(
                self._engines,
                actor,
                bound.rule_for(actor),
                lambda work: does(**arguments, work=work),
            )
        async with self._engines.writer(actor) as work:
            return await does(**arguments, work=work)

    async def _call_once(
        self, bound: Bound, actor: Actor, inputs: dict[str, Any], once: Once
    ) -> Any:
        async with self._engines.writer(actor) as work:
            if not await once(work):
                return None
            return await bound.row.does(**self._arguments(bound, actor, inputs), work=work)

    def _arguments(self, bound: Bound, actor: Actor, inputs: dict[str, Any]) -> dict[str, Any]:
        arguments = {**bound.services, **inputs}
        if "actor" in bound.wants:
            arguments["actor"] = actor
        if "units" in bound.wants:
            arguments["units"] = ActorUnits(self._engines, actor, bound.rule_for(actor))
        if "now" in bound.wants:
            arguments["now"] = self._engines.clock.now()
        return arguments

    async def _once_in_one_unit(
        self, bound: Bound, actor: Actor, inputs: dict[str, Any], keyed: Keyed
    ) -> tuple[Any, bool]:
        """Effect and answer in one transaction; a failure rolls the claim back with the rest."""
        async with self._engines.writer(actor) as work:
            earlier = await keyed.earlier_answer(work.session, now=work.now)
            if earlier is not None:
                return bound.decode(earlier) if bound.decode else None, True
            answer = await bound.row.does(**self._arguments(bound, actor, inputs), work=work)
            await keyed.keep_answer(work.session, _kept(answer))
            return answer, False

    async def _once(
        self, bound: Bound, actor: Actor, inputs: dict[str, Any], keyed: Keyed
    ) -> tuple[Any, bool]:
        """Claim, do, answer, in three transactions, for a use case with units of its own."""
        async with self._engines.writer(actor) as work:
            earlier = await keyed.earlier_answer(work.session, now=work.now)
        if earlier is not None:
            return bound.decode(earlier) if bound.decode else None, True
        try:
            answer = await self._call(bound, actor, inputs)
        except BaseException:
            async with self._engines.writer(actor) as work:
                await keyed.give_up(work.session)
            raise
        async with self._engines.writer(actor) as work:
            await keyed.keep_answer(work.session, _kept(answer))
        return answer, False


def _shape(answer: Any) -> str:
    """Digest what an answer consists of: processes of two versions must not read each other's."""
    described = msgspec.json.encode(msgspec.json.schema(answer))
    return blake2b(described, digest_size=4).hexdigest()


def _kept(answer: Any) -> bytes:
    """Encode the answer a repeat will get; a secret shown once is not in it."""
    without = getattr(answer, "without_secret", None)
    return msgspec.msgpack.encode(without() if without else answer)


def permit(who: Access, actor: Actor) -> None:
    """Check who may ask at all. Raises Unauthenticated or Forbidden."""
    if who is Access.ANYONE or actor.kind is ActorKind.SYSTEM:
        return
    if who is Access.SYSTEM:
        raise Forbidden("Only the system itself does this.")
    if not actor.is_signed_in:
        raise Unauthenticated("Please sign in first.")
    if who is Access.OWNER and actor.role is not Role.OWNER:
        raise Forbidden("Only the owner of this server may do this.")
