"""AudioSpecificConfig (ISO/IEC 14496-3 §1.6.2.1): what an AAC track really is."""

from dataclasses import dataclass

from headwater.containers.bits import Bits

RATES = (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
CHANNELS = (0, 1, 2, 3, 4, 5, 6, 8)  # table 1.19: configuration 7 is 7.1
AAC_LC = 2
SBR, PS = 5, 29
GENERAL_AUDIO = (1, 2, 3, 4, 6, 7, 17, 19, 20, 21, 22, 23)


@dataclass(frozen=True, slots=True, kw_only=True)
class AacConfig:
    """*object_type* is the core's (2 is AAC-LC); *extended* when SBR or PS is signalled on top.

    *sample_rate* and *channels* are those that come out of the decoder; channels 0 where only the
    stream itself says (program config element). *frame_samples* is 1024 or 960, of the core.
    """

    object_type: int
    sample_rate: int
    core_rate: int
    channels: int
    frame_samples: int
    extended: bool

    @property
    def is_plain_lc(self) -> bool:
        return self.object_type == AAC_LC and not self.extended and self.frame_samples == 1024


def parse(config: bytes) -> AacConfig | None:
    """Read *config*, None if it is none."""
    if len(config) < 2:
        return None
    bits = Bits(config[:64])
    object_type = _object_type(bits)
    core_rate = _rate(bits)
    channel_configuration = bits.take(4)
    sample_rate, extended, parametric = core_rate, object_type in (SBR, PS), object_type == PS
    if extended:
        sample_rate = _rate(bits)
        object_type = _object_type(bits)
    frame_samples = 1024
    if object_type in GENERAL_AUDIO:
        frame_samples = 960 if bits.take(1) else 1024
        if bits.take(1):
            bits.take(14)  # coreCoderDelay
        bits.take(1)
    if not extended and bits.left >= 16 and bits.take(11) == 0x2B7 and _object_type(bits) == SBR:
        extended = bool(bits.take(1))
        sample_rate = _rate(bits) if extended else core_rate
        parametric = extended and bits.left >= 12 and bits.take(11) == 0x548 and bool(bits.take(1))
    if not core_rate or not sample_rate:
        return None
    channels = CHANNELS[channel_configuration] if channel_configuration < len(CHANNELS) else 0
    return AacConfig(
        object_type=object_type,
        sample_rate=sample_rate,
        core_rate=core_rate,
        channels=2 if parametric and channels == 1 else channels,
        frame_samples=frame_samples,
        extended=extended,
    )


def _object_type(bits: Bits) -> int:
    kind = bits.take(5)
    return 32 + bits.take(6) if kind == 31 else kind


def _rate(bits: Bits) -> int:
    index = bits.take(4)
    if index == 15:
        return bits.take(24)
    return RATES[index] if index < len(RATES) else 0
