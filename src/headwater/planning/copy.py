"""The source rung: the uploaded pictures as they are, where every player can take them.

Costs nothing to make and loses nothing. Offered only when all of the rules of _is_plain and
_is_steady hold; docs/formats.md names them for users.
"""

from headwater.containers import h264
from headwater.containers.table import TrackTable
from headwater.model.ids import TrackId
from headwater.model.look import Look
from headwater.model.plan import Rung
from headwater.planning import levels
from headwater.planning.cuts import LONGEST_S, Cuts
from headwater.planning.ladder import FASTEST, LONGEST_SIDE, Picture
from headwater.planning.rates import cap_bps, peak_bps, with_boxes
from headwater.planning.settings import PlanSettings
from headwater.planning.timeline import Placed

HIGH_DYNAMIC_RANGE = ("smpte2084", "arib-std-b67")
PROFILES = (66, 77, 100)  # Baseline, Main, High
PIXELS = ("yuv420p", "yuvj420p", "")
DEAR = 1.5  # times the ladder's cap: above it, an encoded rung of the same height stands beside


def source_rung(
    placed: Placed, look: Look, cuts: Cuts, picture: Picture, *, settings: PlanSettings
) -> Rung | None:
    """Return the rung that copies the source, None where it may not be copied."""
    table = placed.table
    sps = h264.first_sps(table.config) if table.codec == "h264" else None
    if sps is None or not _is_plain(table, look, sps) or not _is_steady(cuts, table, picture):
        return None
    seconds = cuts.durations_s(table.timescale)
    bits = with_boxes(8 * cuts.sizes, cuts.frames)
    peak = peak_bps(bits, seconds)
    if peak > settings.copy_peak_bps:
        return None
    return Rung(
        id=TrackId(f"v{min(sps.width, sps.height)}c"),
        copy=True,
        width=sps.width,
        height=sps.height,
        frame_step=1,
        frame_rate=(picture.frame_rate.numerator, picture.frame_rate.denominator),
        codecs=levels.of_config(table.config),
        level=sps.level,
        crf=0.0,
        maxrate_bps=peak,
        bufsize_bits=0,
        average_bps=int(bits.sum() / seconds.sum()),
        peak_bps=peak,
    )


def is_dear(copy: Rung) -> bool:
    """Say whether *copy* costs viewers so much that an encode of its size is offered too."""
    rate, scale = copy.frame_rate
    return copy.average_bps > DEAR * cap_bps(copy.width, copy.height, rate / scale)


def _is_plain(table: TrackTable, look: Look, sps: h264.Sps) -> bool:
    """One setup of H.264 that every decoder takes, shown as it is coded."""
    avcc = h264.parse_avcc(table.config)
    return (
        avcc is not None
        and len(avcc.sps) == 1
        and table.descriptions == 1
        and not table.prefix
        and sps.profile in PROFILES
        and sps.level <= levels.HIGHEST
        and (sps.chroma, sps.bit_depth) == (1, 8)
        and sps.progressive
        and max(sps.width, sps.height) <= LONGEST_SIDE
        and not look.interlaced
        and look.pixel_format in PIXELS
        and look.colour.transfer not in HIGH_DYNAMIC_RANGE
        and (look.width or sps.width, look.height or sps.height) == (sps.width, sps.height)
        and {table.sample_aspect, look.sample_aspect, sps.sample_aspect} == {(1, 1)}
        and table.rotation == 0
    )


def _is_steady(cuts: Cuts, table: TrackTable, picture: Picture) -> bool:
    """Closed keyframes at every cut, near enough to each other, at a rate that players take."""
    return (
        cuts.closed
        and float(cuts.durations_s(table.timescale).max()) <= LONGEST_S
        and picture.frame_rate <= FASTEST
    )
