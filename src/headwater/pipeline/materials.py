"""The materials at hand: opened once per generation, let go when their video goes or nobody asks.

What is open keeps the bytes of a deleted source on the disk.
"""

from collections import OrderedDict

import anyio

from headwater.engines.blobs.port import Blobs
from headwater.model.ids import GenerationId, VideoId
from headwater.pipeline.ask import Ask
from headwater.pipeline.leasing import Opened
from headwater.pipeline.material import Material
from headwater.planning.document import decode_plan

REMEMBERED = 32
IDLE_S = 60.0


class Materials:
    """One per maker."""

    def __init__(self, *, ask: Ask, blobs: Blobs) -> None:
        self._ask, self._blobs = ask, blobs
        self._open: OrderedDict[GenerationId, Material] = OrderedDict()
        self._used_at: dict[GenerationId, float] = {}

    async def open(self, generation: GenerationId) -> Material:
        """Open what *generation* is made from. Raises Gone."""
        found = self._open.get(generation)
        if found is None:
            found = self._open[generation] = await self._opened(generation)
        self._used_at[generation] = anyio.current_time()
        self._open.move_to_end(generation)
        while len(self._open) > REMEMBERED:
            self.forget(next(iter(self._open)))
        return found

    def forget(self, generation: GenerationId) -> None:
        """Close it; whoever still works with it may finish."""
        self._open.pop(generation, None)
        self._used_at.pop(generation, None)

    def forget_video(self, video: VideoId) -> None:
        for generation in [g for g, material in self._open.items() if material.video == video]:
            self.forget(generation)

    def forget_idle(self) -> None:
        """Close what nobody asked for in the last IDLE_S."""
        before = anyio.current_time() - IDLE_S
        for generation in [g for g, at in self._used_at.items() if at <= before]:
            self.forget(generation)

    async def _opened(self, generation: GenerationId) -> Material:
        opened: Opened = await self._ask("pipeline.open_generation", generation=generation)
        plan = decode_plan(opened.generation.plan)
        source = opened.source
        return Material(
            video=opened.generation.video,
            generation=generation,
            plan=plan,
            extents=source.remuxed if plan.remuxed and source.remuxed else source.extents,
            index_sizes=opened.generation.index_sizes,
            blobs=self._blobs,
        )
