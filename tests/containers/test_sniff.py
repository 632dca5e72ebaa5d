"""What a file is, by its bytes: every kind people upload, and every kind that is refused."""

import contextlib
import gzip
import io
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from headwater.containers.sniff import sniff
from headwater.model.errors import HeadwaterError, RefusedMedia, UnreadableMedia
from tests.containers.material import CLIPS, ISOBMFF, PICTURES, SOUND
from tests.support.clips import run

Clip = Callable[[str], Path]
HEAD_BYTES = 65_536

MUXED = {  # extension → container, demuxer, arguments
    "ts": ("mpegts", "mpegts", []),
    "m2ts": ("mpegts", "mpegts", []),
    "mpg": ("mpegps", "mpeg", []),
    "vob": ("mpegps", "mpeg", []),
    "m2v": ("mpegvideo", "mpegvideo", ["-an"]),
    "avi": ("avi", "avi", []),
    "flv": ("flv", "flv", ["-ar", "44100"]),
    "ogv": ("ogg", "ogg", ["-c:v", "libtheora", "-c:a", "libvorbis"]),
    "wmv": ("asf", "asf", []),
    "mxf": ("mxf", "mxf", ["-c:v", "mpeg2video", "-an"]),
    "ivf": ("ivf", "ivf", ["-an", "-c:v", "libvpx"]),
    "wav": ("wav", "wav", ["-vn"]),
    "w64": ("w64", "w64", ["-vn"]),
    "aiff": ("aiff", "aiff", ["-vn"]),
    "caf": ("caf", "caf", ["-vn"]),
    "au": ("au", "au", ["-vn"]),
    "mp3": ("mp3", "mp3", ["-vn"]),
    "mp2": ("mp3", "mp3", ["-vn"]),
    "aac": ("aac", "aac", ["-vn"]),
    "ac3": ("ac3", "ac3", ["-vn", "-ar", "44100"]),
    "eac3": ("eac3", "eac3", ["-vn"]),
    "flac": ("flac", "flac", ["-vn"]),
}
PICTURE_FILES = ["png", "jpg", "gif", "webp", "bmp", "tiff", "avif", "ppm", "jp2"]


def told(data: bytes) -> tuple[str, str]:
    found = sniff(data[:HEAD_BYTES], size=len(data))
    return found.container, found.demuxer


@pytest.mark.parametrize("name", CLIPS)
def test_what_we_read_ourselves(clip: Clip, name: str) -> None:
    family = ("isobmff", "mov") if name in ISOBMFF else ("matroska", "matroska")
    assert told(clip(name).read_bytes()) == family


@pytest.mark.parametrize("extension", MUXED)
def test_what_is_remuxed(tmp_path: Path, extension: str) -> None:
    """Each is named with the one demuxer that may open it."""
    container, demuxer, arguments = MUXED[extension]
    path = tmp_path / f"clip.{extension}"
    run(*PICTURES, *SOUND, *arguments, "-t", "0.5", "-y", str(path))
    assert told(path.read_bytes()) == (container, demuxer)


def test_a_recording_that_starts_in_the_middle_of_a_packet(tmp_path: Path) -> None:
    path = tmp_path / "clip.ts"
    run(*PICTURES, "-t", "0.5", "-y", str(path))
    assert told(path.read_bytes()[57:]) == ("mpegts", "mpegts")


def test_sound_behind_a_long_tag(tmp_path: Path) -> None:
    """An ID3 tag with a picture may be longer than what is looked at."""
    path = tmp_path / "clip.mp3"
    run(*SOUND, "-y", str(path))
    sound = path.read_bytes()
    tag = b"ID3\x04\0\0" + bytes([0, 8, 0, 0]) + bytes(8 << 14)
    assert told(tag + sound[10:]) == ("mp3", "mp3")


@pytest.mark.parametrize("extension", PICTURE_FILES)
def test_a_still_picture_is_refused(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"still.{extension}"
    run(*PICTURES, "-frames:v", "1", "-update", "1", "-y", str(path))
    with pytest.raises(RefusedMedia, match="still picture"):
        told(path.read_bytes())


def _zip() -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("video.mp4", b"x")
    return body.getvalue()


def _tar() -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("video.mp4"))
    return body.getvalue()


REFUSED = {
    "playlist": b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
    "playlist after white space": b"\xef\xbb\xbf \r\n#EXTM3U\n",
    "playlist in wide letters": "#EXTM3U\nhttp://[::1]/".encode("utf-16"),
    "concat": b"ffconcat version 1.0\nfile /etc/passwd\n",
    "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
    "xml": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
    "html": b"<!DOCTYPE html><html></html>",
    "dash": b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash:schema:mpd:2011"></MPD>',
    "smil": b"<smil><body></body></smil>",
    "asx": b'<ASX version="3.0"></ASX>',
    "sdp": b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\n",
    "script": b"#!/bin/sh\ncurl http://169.254.169.254/\n",
    "text": b"Just a letter to a friend.\n" * 300,
    "text in other letters": "Ein Brief über Käse.\n".encode() * 400,
    "subtitles": b"WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n",
    "zip": _zip(),
    "tar": _tar(),
    "gzip": gzip.compress(b"x"),
    "rar": b"Rar!\x1a\x07\x01\x00" + bytes(20),
    "7z": b"7z\xbc\xaf\x27\x1c" + bytes(20),
    "bzip2": b"BZh91AY&SY" + bytes(20),
    "xz": b"\xfd7zXZ\x00" + bytes(20),
    "zstandard": b"\x28\xb5\x2f\xfd" + bytes(20),
    "disc": bytes(0x8001) + b"CD001" + bytes(100),
    "program": b"\x7fELF\x02\x01\x01" + bytes(20),
    "document": b"%PDF-1.7\n",
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_refused(kind: str) -> None:
    """One plain sentence for a person, naming nothing of the machine."""
    with pytest.raises(RefusedMedia) as refused:
        told(REFUSED[kind])
    sentence = str(refused.value)
    assert sentence.endswith(".")
    assert "/" not in sentence


@pytest.mark.parametrize("data", [bytes(4096), b"\x00\x01\x02\x03", b"\x1a\x45\xdf\xa3\x80", b"G"])
def test_what_is_nothing_we_know(data: bytes) -> None:
    with pytest.raises(HeadwaterError):
        told(data)


def test_an_empty_file() -> None:
    with pytest.raises(UnreadableMedia, match="empty"):
        sniff(b"", size=0)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_are_named_or_refused(data: bytes) -> None:
    with contextlib.suppress(HeadwaterError):
        assert told(data)[1]


@pytest.mark.parametrize("extension", ["ts", "mp3", "ac3", "avi"])
def test_every_cut_of_a_head_is_named_or_refused(tmp_path: Path, extension: str) -> None:
    path = tmp_path / f"clip.{extension}"
    arguments = MUXED[extension][2]
    run(*PICTURES, *SOUND, *arguments, "-t", "0.5", "-y", str(path))
    whole = path.read_bytes()
    for length in range(1, 1200, 7):
        with contextlib.suppress(HeadwaterError):
            told(whole[:length])
