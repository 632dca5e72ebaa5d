"""How often: each limited operation is counted per caller, before anything else is done."""

from headwater.engines.rates.port import Rates
from headwater.model.actor import Actor, ActorKind
from headwater.model.errors import RateLimited
from headwater.operations.operation import Limit


async def enforce(rates: Rates, name: str, limit: Limit, actor: Actor, *, now: float) -> None:
    """Count this call of operation *name*. Raises RateLimited with the seconds to wait.

    The system's own calls are never counted.
    """
    if actor.kind is ActorKind.SYSTEM:
        return
    who = actor.limit_key if limit.by == "actor" else f"address:{actor.address}"
    wait_s = await rates.hit(f"{name}|{who}", times=limit.times, per_s=limit.per_s, now=now)
    if wait_s is not None:
        raise RateLimited(
            f"At most {limit.times} in {limit.per_s} seconds; wait a little and try again.",
            retry_after_s=max(wait_s, 0.1),
        )
