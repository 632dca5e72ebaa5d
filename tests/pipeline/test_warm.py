"""What warming up leases together, and what by itself."""

import msgspec

from headwater.model.ids import TrackId
from headwater.model.plan import Colour, Plan, VideoPlan
from headwater.pipeline.warm import by_cost
from tests.support.windows import rung

COPY, LOW, SOUND = TrackId("v720"), TrackId("v240"), TrackId("a1")


def test_what_costs_no_encode_is_not_held_up_by_what_does() -> None:
    """The copied rung and the sound, which players ask for first, are leased by themselves."""
    plan = Plan(
        duration_s=4.0,
        ends_early_s=None,
        remuxed=False,
        config="",
        video=VideoPlan(
            source_track=1,
            codec="h264",
            timescale=600,
            shift=0,
            width=1280,
            height=720,
            rotation=0,
            interlaced=False,
            tone_map=False,
            colour=Colour(),
            rungs=[msgspec.structs.replace(rung(720), copy=True), rung(240)],
            cuts=[],
            windows=[],
            owns=[],
            frames=[],
        ),
        audio=[],
    )

    assert by_cost(plan, [COPY, LOW, SOUND]) == [[COPY, SOUND], [LOW]]
    assert by_cost(plan, [LOW]) == [[LOW]]
