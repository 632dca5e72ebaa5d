"""What is asked for and is not there, as rows: viewers put them, workers take them.

Every one is an operation with actor `system` and one short transaction.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from headwater.engines.work import Work
from headwater.model.ids import GenerationId, TrackId, VideoId
from headwater.pipeline import demands_repository, generations_repository
from headwater.pipeline.demands_repository import Demand
from headwater.pipeline.keys import segment_topic

ENOUGH_DEMANDS = 64


async def demand(*, work: Work, wanted: Sequence[Demand]) -> None:
    """Ask workers for segments ahead of all else."""
    await demands_repository.put(work.session, wanted)
    work.notices.append(("demands", b""))


async def list_demands(*, work: Work, build: str = "") -> list[Demand]:
    """Return the most urgent demands, of each video the first before of any the second.

    What workers who live began with another encoder than *build* is left to them.
    """
    found = await demands_repository.waiting(
        work.session, 4 * ENOUGH_DEMANDS, now=work.now, build=build
    )
    before: Counter[tuple[int, VideoId]] = Counter()
    placed: list[tuple[int, int, Demand]] = []
    for demand in found:
        placed.append((demand.rank, before[demand.rank, demand.video], demand))
        before[demand.rank, demand.video] += 1
    placed.sort(key=lambda place: place[:2])
    return [demand for _, _, demand in placed[:ENOUGH_DEMANDS]]


async def give_up_demand(
    *, work: Work, generation: GenerationId, track: TrackId, index: int
) -> None:
    """Tell all who wait for it that it could not be made; whoever asks again asks anew."""
    await demands_repository.take_back(work.session, generation, track, index)
    work.notices.append((segment_topic(generation, track, index), b"failed"))


async def forget_demands(*, work: Work, asked_before: float) -> None:
    """Drop demands that nobody waits for any more."""
    await demands_repository.forget_before(work.session, asked_before)


async def touch_tracks(*, work: Work, watched: Mapping[tuple[str, str], float]) -> None:
    """Remember when tracks were last watched, for eviction."""
    await generations_repository.touch(work.session, watched)


async def forget_generation(*, work: Work, generation: GenerationId) -> None:
    """Drop the demands of a generation that is gone."""
    await demands_repository.forget_generation(work.session, generation)
