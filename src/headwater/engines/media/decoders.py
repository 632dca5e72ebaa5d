"""The decoders that may be opened, by ffmpeg's names: what people's cameras, phones, recorders and
editors write. A file that asks for any other (of the hundreds in the program, each a surface) is
told that it cannot be decoded.
"""

_VIDEO = """
    h264 hevc vvc vp8 vp9 libdav1d mpeg1video mpeg2video mpegvideo mpeg4 msmpeg4v1 msmpeg4v2 msmpeg4
    wmv1 wmv2 wmv3 vc1 h261 h263 h263i h263p flv vp3 theora vp6 vp6f rv10 rv20 rv30 rv40
    mjpeg mjpegb jpeg2000 prores dnxhd cfhd dvvideo hap ffv1 huffyuv ffvhuff utvideo
    rawvideo v210 r210 qtrle png rpza svq1 svq3 cinepak msvideo1 msrle zmbv flashsv flashsv2
"""
_AUDIO = """
    aac aac_latm mp1float mp2float mp3float mp1 mp2 mp3 ac3 eac3 dca truehd mlp opus vorbis speex
    flac alac als ape tta wavpack wmav1 wmav2 wmapro wmalossless wmavoice amrnb amrwb gsm gsm_ms
    cook sipr real_144 real_288 qdm2 qcelp nellymoser mace3 mace6 dvaudio s302m
    adpcm_ima_qt adpcm_ima_wav adpcm_ms adpcm_swf adpcm_yamaha
    pcm_alaw pcm_mulaw pcm_bluray pcm_dvd pcm_s8 pcm_u8 pcm_s16be pcm_s16le pcm_u16le pcm_s24be
    pcm_s24le pcm_s32be pcm_s32le pcm_f32be pcm_f32le pcm_f64be pcm_f64le
    pcm_s16le_planar pcm_s16be_planar pcm_s8_planar
"""
DECODERS = ",".join((_VIDEO + _AUDIO).split())
