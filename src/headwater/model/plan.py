"""The plan: everything about a video's tracks that must be known before any segment exists.

Immutable, stored as one document beside its generation. Times are integer ticks: a video track uses
the source track's own timescale, an audio rendition its sample rate. Presentation time 0 is where
the earliest track starts; a track's *shift* is the only mapping from media time (what the container
says) to presentation time: ``presentation = media - shift``.

segment = make(source, plan, track, index); init = make(plan, track)
"""

import msgspec

from headwater.model.ids import TrackId

LONG_RUN_S = 20.0  # keyframes further apart: too much to decode for each segment anew
ENCODER_ENDS = " plan-"  # what follows the build's name in Plan.config
SAMPLES_PER_AAC_FRAME = 1024  # ISO/IEC 14496-3: AAC-LC frame length


class Colour(msgspec.Struct, frozen=True):
    """H.273 code points as ffmpeg names them ("bt709", "smpte2084", …), "unknown" if not said."""

    range: str = "unknown"
    space: str = "unknown"
    primaries: str = "unknown"
    transfer: str = "unknown"


BT709 = Colour(range="tv", space="bt709", primaries="bt709", transfer="bt709")
KEPT = {  # what every player shows as it is: turning one into another costs more than the encode
    "bt709": BT709,
    "smpte170m": Colour(range="tv", space="smpte170m", primaries="smpte170m", transfer="smpte170m"),
    "bt470bg": Colour(range="tv", space="bt470bg", primaries="bt470bg", transfer="smpte170m"),
}
MATRICES = {*KEPT, "fcc", "smpte240m", "bt2020nc", "bt2020c"}
SD_HEIGHT = 576  # taller pictures that say nothing of their matrix are BT.709, others BT.601


class Rung(msgspec.Struct, frozen=True, kw_only=True):
    """One video rendition. *copy* marks the source rung: samples as uploaded, never re-encoded.

    *width* × *height* are pixels as displayed: square, after sample aspect and rotation.
    *frame_step* n keeps every n-th frame of a segment, counted from its first; *frame_rate* is the
    mean that results. *level* is the H.264 level times ten. *maxrate_bps* and *bufsize_bits* are
    the rate control's (a copy's: its own peak, 0). *peak_bps* is the most that any stretch of half
    to one and a half target durations can have, container included (HLS BANDWIDTH without audio);
    *average_bps* the expected mean.
    """

    id: TrackId
    copy: bool
    width: int
    height: int
    frame_step: int
    frame_rate: tuple[int, int]
    codecs: str
    level: int
    crf: float
    maxrate_bps: int
    bufsize_bits: int
    average_bps: int
    peak_bps: int


class VideoPlan(msgspec.Struct, frozen=True, kw_only=True):
    """The video track's cuts and rungs, lowest rung first.

    *cuts* has one entry more than there are segments, rising, in presentation ticks of *timescale*;
    segment k is [cuts[k], cuts[k+1]). *windows*[k] = (lo, hi) is the half-open range of samples, in
    decode order, that an encode of segment k is fed with; *owns*[k] the range a copy carries (empty
    list when nothing is copied). *frames*[k] counts the source frames presented in k, each at a
    time of its own. *width* × *height* are decoded source pixels, before *sample_aspect* and
    *rotation* (clockwise degrees still to apply); *colour* is the source's.
    """

    source_track: int
    codec: str
    timescale: int
    shift: int
    cuts: list[int]
    windows: list[tuple[int, int]]
    owns: list[tuple[int, int]]
    frames: list[int]
    width: int
    height: int
    rotation: int
    interlaced: bool
    tone_map: bool
    colour: Colour
    rungs: list[Rung]
    sample_aspect: tuple[int, int] = (1, 1)

    def run_of(self, index: int) -> range | None:
        """Return the segments that one forward pass makes together with segment *index*.

        None where windows do: where one keyframe's pictures last LONG_RUN_S at most.
        """
        if not 0 <= index < len(self.windows):
            return None
        first = last = index
        keyframe = self.windows[index][0]
        while first and self.windows[first - 1][0] == keyframe:
            first -= 1
        while last + 1 < len(self.windows) and self.windows[last + 1][0] == keyframe:
            last += 1
        length = self.cuts[last + 1] - self.cuts[first]
        return range(first, last + 1) if length > LONG_RUN_S * self.timescale else None

    @property
    def matrix(self) -> str:
        """The matrix of the source's pictures; where none is said, what their size suggests."""
        if self.colour.space in MATRICES:
            return self.colour.space
        return "bt709" if min(self.width, self.height) > SD_HEIGHT else "smpte170m"

    @property
    def encoded_colour(self) -> Colour:
        """What encoded rungs are in: the source's matrix if players know it, else BT.709."""
        return BT709 if self.tone_map else KEPT.get(self.matrix, BT709)

    def colour_of(self, rung: Rung) -> Colour:
        """Return what a rung's pictures are in: a copy's are the source's."""
        return self.colour if rung.copy else self.encoded_colour


class Rendition(msgspec.Struct, frozen=True, kw_only=True):
    """One audio rendition. Its timescale is *sample_rate*.

    *cuts* has one entry more than there are segments. Encoded: multiples of 1024, segment k holds
    the AAC frames of the track-wide grid in [cuts[k], cuts[k+1]); *windows* includes the source
    samples for pre-roll and is empty where there is silence. Copied: presentation ticks of the
    source's own frames, 1024 apart, of which *windows*[k] are exactly those of segment k. A segment
    index means about the same moment as the same index of the video track. *starts*[k] is where on
    the grid the first sample lies that window k decodes to (encoded ones only). *peak_bps* is for
    BANDWIDTH, as a rung's.
    """

    id: TrackId
    copy: bool
    channels: int
    sample_rate: int
    codecs: str
    bitrate_bps: int
    cuts: list[int]
    windows: list[tuple[int, int]]
    starts: list[int] = []
    peak_bps: int = 0


class AudioPlan(msgspec.Struct, frozen=True, kw_only=True):
    """One audio track of the source and what is offered of it, its default rendition first."""

    source_track: int
    codec: str
    timescale: int
    shift: int
    language: str
    name: str
    default: bool
    renditions: list[Rendition]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """See the module. *remuxed* says that windows count samples of the remuxed source.

    *duration_s* is the end of the longest track. *ends_early_s* is where the bytes of a damaged
    file stop, None for a whole one. *config* names encode arguments and encoder build; it belongs
    to the generation's identity. *notes* are sentences for the owner about what is left out.
    """

    duration_s: float
    ends_early_s: float | None
    remuxed: bool
    config: str
    video: VideoPlan | None
    audio: list[AudioPlan]
    notes: list[str] = []

    @property
    def encoder(self) -> str:
        """The build of the encoder that everything in it is made with."""
        return self.config.rpartition(ENCODER_ENDS)[0]

    def is_encoded(self, track: TrackId) -> bool:
        """Say whether the encoder's build shows in *track*: in all that is not copied."""
        found = self.rendition(track)
        return self.is_encoded_rung(track) or (found is not None and not found[1].copy)

    def is_encoded_rung(self, track: TrackId) -> bool:
        rung = self.rung(track)
        return rung is not None and not rung.copy

    def track_ids(self) -> list[TrackId]:
        rungs = [rung.id for rung in self.video.rungs] if self.video else []
        return rungs + [r.id for audio in self.audio for r in audio.renditions]

    def rung(self, track: TrackId) -> Rung | None:
        rungs = self.video.rungs if self.video else []
        return next((rung for rung in rungs if rung.id == track), None)

    def rendition(self, track: TrackId) -> tuple[AudioPlan, Rendition] | None:
        pairs = ((audio, r) for audio in self.audio for r in audio.renditions)
        return next((pair for pair in pairs if pair[1].id == track), None)

    def segments_of(self, track: TrackId) -> int | None:
        """Return how many segments *track* has, None if there is no such track."""
        if self.video and self.rung(track):
            return len(self.video.cuts) - 1
        found = self.rendition(track)
        return len(found[1].cuts) - 1 if found else None
