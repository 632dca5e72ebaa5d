"""Codec names of Matroska's CodecIDs, as ffmpeg spells them.

Source: matroska.org, "Codec Mappings"; mmreg.h for the tags of WAVEFORMATEX.
"""

from headwater.containers.isobmff.codecs import audio_name, plain, video_name

NAMES = {
    "V_MPEG4/ISO/AVC": "h264",
    "V_MPEGH/ISO/HEVC": "hevc",
    "V_MPEGI/ISO/VVC": "vvc",
    "V_VP8": "vp8",
    "V_VP9": "vp9",
    "V_AV1": "av1",
    "V_MPEG4/ISO/SP": "mpeg4",
    "V_MPEG4/ISO/ASP": "mpeg4",
    "V_MPEG4/ISO/AP": "mpeg4",
    "V_MPEG4/MS/V3": "msmpeg4v3",
    "V_MPEG1": "mpeg1video",
    "V_MPEG2": "mpeg2video",
    "V_MJPEG": "mjpeg",
    "V_PRORES": "prores",
    "V_THEORA": "theora",
    "V_FFV1": "ffv1",
    "V_DIRAC": "dirac",
    "V_REAL/RV10": "rv10",
    "V_REAL/RV20": "rv20",
    "V_REAL/RV30": "rv30",
    "V_REAL/RV40": "rv40",
    "V_UNCOMPRESSED": "rawvideo",
    "A_AAC": "aac",
    "A_MPEG/L1": "mp1",
    "A_MPEG/L2": "mp2",
    "A_MPEG/L3": "mp3",
    "A_AC3": "ac3",
    "A_EAC3": "eac3",
    "A_TRUEHD": "truehd",
    "A_MLP": "mlp",
    "A_DTS": "dts",
    "A_VORBIS": "vorbis",
    "A_OPUS": "opus",
    "A_FLAC": "flac",
    "A_ALAC": "alac",
    "A_TTA1": "tta",
    "A_WAVPACK4": "wavpack",
    "A_REAL/COOK": "cook",
    "A_REAL/SIPR": "sipr",
    "A_REAL/ATRC": "atrac3",
}
FOUR_CHARACTERS = {  # BITMAPINFOHEADER codes beside those QuickTime shares
    b"X264": "h264",
    b"AVC1": "h264",
    b"DIVX": "mpeg4",
    b"HEVC": "hevc",
    b"H265": "hevc",
    b"MPG1": "mpeg1video",
    b"MPG2": "mpeg2video",
    b"VP80": "vp8",
    b"VP90": "vp9",
    b"DVSD": "dvvideo",
}
WAVE_TAGS = {  # WAVEFORMATEX wFormatTag
    0x0006: "pcm_alaw",
    0x0007: "pcm_mulaw",
    0x0002: "adpcm_ms",
    0x0011: "adpcm_ima_wav",
    0x0050: "mp2",
    0x0055: "mp3",
    0x00FF: "aac",
    0x0160: "wmav1",
    0x0161: "wmav2",
    0x0162: "wmapro",
    0x1600: "aac",
    0x2000: "ac3",
    0x2001: "dts",
    0x566F: "vorbis",
    0xF1AC: "flac",
}


def codec_of(name: str, private: bytes, *, bits: int) -> tuple[str, bytes]:
    """Return the codec and its decoder configuration out of CodecID and CodecPrivate."""
    if name == "V_MS/VFW/FOURCC" and len(private) >= 40:
        kind = private[16:20]
        return FOUR_CHARACTERS.get(kind.upper()) or video_name(kind), private[40:]
    if name == "A_MS/ACM" and len(private) >= 16:
        return _wave(private), private[18:]
    if name in ("V_QUICKTIME", "A_QUICKTIME") and len(private) >= 8:
        named = video_name if name[0] == "V" else audio_name
        return named(private[4:8]), private
    if name.startswith("A_PCM/"):
        return _pcm(name, bits), b""
    parts = name.split("/")
    for end in range(len(parts), 0, -1):  # A_AC3/BSID9 is A_AC3, A_AAC/MPEG4/LC is A_AAC
        if known := NAMES.get("/".join(parts[:end])):
            return known, private
    return plain(name.encode("ascii", "replace")[:40]), private


def _wave(private: bytes) -> str:
    tag = int.from_bytes(private[:2], "little")
    bits = int.from_bytes(private[14:16], "little")
    if tag == 1:
        return "pcm_u8" if bits == 8 else f"pcm_s{bits}le"
    if tag == 3:
        return f"pcm_f{bits}le"
    return WAVE_TAGS.get(tag, f"wave_{tag:04x}")


def _pcm(name: str, bits: int) -> str:
    if "FLOAT" in name:
        return f"pcm_f{bits}le"
    if bits == 8:
        return "pcm_u8"
    return f"pcm_s{bits}{'be' if name.endswith('BIG') else 'le'}"
