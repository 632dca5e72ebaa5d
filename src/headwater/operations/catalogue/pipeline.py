"""The steps of making: each the system's own, against the latest rows."""

from collections.abc import Awaitable, Callable
from typing import Any

from headwater.access.decide import Action
from headwater.model.freshness import Primary
from headwater.operations.operation import (
    NEVER,
    UNLIMITED,
    Access,
    Idempotency,
    Operation,
    Permission,
)
from headwater.pipeline import (
    advance,
    compact,
    demanding,
    evict,
    find_warm_up,
    leasing,
    processes,
    sweep,
    tidy,
)


def _step(
    name: str, does: Callable[..., Awaitable[Any]], *, reads: bool, because: str
) -> Operation:
    """Write the row of one step of a job: the system's own, against the latest rows, unlimited."""
    return Operation(
        name=name,
        does=does,
        consistency=Primary(),
        cache=NEVER,
        permission=Permission(Action.JOB_RUN, Access.SYSTEM),
        limit=UNLIMITED,
        idempotency=Idempotency.READ if reads else Idempotency.NATURAL,
        because=because,
    )


PIPELINE = (
    _step(
        "pipeline.lease_job",
        advance.lease_job,
        reads=False,
        because="Two workers on one job would do it twice: the row decides, fair between owners.",
    ),
    _step(
        "pipeline.find_warm_up",
        find_warm_up.find_warm_up,
        reads=True,
        because="One long video must not keep all encoders but one idle: its segments have leases.",
    ),
    _step(
        "pipeline.keep_leases",
        advance.keep_leases,
        reads=False,
        because="A worker that died stops renewing, and what it held comes back by itself.",
    ),
    _step(
        "processes.announce",
        processes.announce,
        reads=False,
        because="What a killed process held is taken back by whoever first finds it silent.",
    ),
    _step(
        "processes.leave",
        processes.leave,
        reads=False,
        because="Who ends on purpose is followed at once, not after three missed beats.",
    ),
    _step(
        "processes.list",
        processes.list_processes,
        reads=True,
        because="Who runs this must see every process and its encoder, as they told themselves.",
    ),
    _step(
        "pipeline.get_source",
        leasing.get_source,
        reads=True,
        because="Bytes never meet metadata: a source is a list of extents in a row.",
    ),
    _step(
        "pipeline.record_plan",
        advance.record_plan,
        reads=False,
        because="Playable is said once the plan and its first segments are kept together.",
    ),
    _step(
        "pipeline.refuse",
        advance.refuse,
        reads=False,
        because="What can never play must say so at once, in words, and not be tried again.",
    ),
    _step(
        "pipeline.fail_job",
        advance.fail_job,
        reads=False,
        because="A failure that may pass is tried again later, not at once, and not for ever.",
    ),
    _step(
        "pipeline.postpone_job",
        advance.postpone_job,
        reads=False,
        because="A full disk is nobody's failure: the work waits for room and does not die of it.",
    ),
    _step(
        "pipeline.finish_job",
        advance.finish_job,
        reads=False,
        because="A job whose video is gone has nothing left to do.",
    ),
    _step(
        "pipeline.open_generation",
        leasing.open_generation,
        reads=True,
        because="A segment is a function of source, plan, track and index: here are the first two.",
    ),
    _step(
        "pipeline.current_generation",
        leasing.current_generation,
        reads=True,
        because="Warming an older generation would make what nobody asks for.",
    ),
    _step(
        "pipeline.take_leases",
        leasing.take_leases,
        reads=False,
        because="Many miss at once: one makes the segment, the rest wait for it.",
    ),
    _step(
        "pipeline.release_leases",
        leasing.release_leases,
        reads=False,
        because="What could not be made is free for the next who asks, before the lease ends.",
    ),
    _step(
        "pipeline.record_segments",
        leasing.record_segments,
        reads=False,
        because="The bitmap follows the store; whoever waits hears of it with the commit.",
    ),
    _step(
        "pipeline.record_warm",
        advance.record_warm,
        reads=False,
        because="A warm-up gives its turn back, so that no owner waits for another's hundred.",
    ),
    _step(
        "pipeline.replace_generation",
        advance.replace_generation,
        reads=False,
        because="Bytes of another encoder or a false copy break players: a new name, new bytes.",
    ),
    _step(
        "pipeline.list_demands",
        demanding.list_demands,
        reads=True,
        because="Viewers overtake warming: what somebody waits for is looked at first.",
    ),
    _step(
        "pipeline.give_up_demand",
        demanding.give_up_demand,
        reads=False,
        because="An honest no at once is better than eight seconds of silence.",
    ),
    _step(
        "pipeline.forget_demands",
        demanding.forget_demands,
        reads=False,
        because="What nobody waits for any more must not keep an encoder busy.",
    ),
    _step(
        "pipeline.forget_generation",
        demanding.forget_generation,
        reads=False,
        because="A deleted video is not made, whoever still asks.",
    ),
    _step(
        "pipeline.touch_tracks",
        demanding.touch_tracks,
        reads=False,
        because="One write a minute tells what is watched; one per segment would be a hot row.",
    ),
    _step(
        "pipeline.schedule_sweep",
        sweep.schedule_sweep,
        reads=False,
        because="A deletion can be taken back for a while, so its work is queued for later.",
    ),
    _step(
        "pipeline.sweep",
        sweep.sweep,
        reads=False,
        because="Blobs go before rows, so that a crash between leaves nothing that is not named.",
    ),
    _step(
        "pipeline.compact",
        compact.compact,
        reads=False,
        because="A source of a thousand small extents is slow to read; nobody waits for the copy.",
    ),
    _step(
        "pipeline.tidy",
        tidy.tidy,
        reads=False,
        because="A table that only grows makes every question slower; the past is in the log.",
    ),
    _step(
        "pipeline.evict",
        evict.evict,
        reads=False,
        because="A full store refuses uploads; what can be made again is the cheapest to give up.",
    ),
)
