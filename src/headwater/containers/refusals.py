"""Files that are refused on purpose, each with a sentence for the person who sent it.

Playlists, scripts and markup make a media program read other files or call addresses; archives hide
what is in them; a still picture is no video.
"""

import re

from headwater.model.errors import RefusedMedia

PLAYLIST = "This is a playlist that points to other files; please upload the video itself."
MARKUP = "This is a web page or drawing (XML), not a video."
ARCHIVE = "This is an archive; please unpack it and upload the video inside."
PICTURE = "This is a still picture, not a video."
TEXT = "This is a text file, not a video."
SCRIPT = "This is a script, not a video."
PROGRAM = "This is a program, not a video."
DOCUMENT = "This is a document, not a video."
DISC = "This is an image of a whole disc; please upload the video that is on it."

BINARY: tuple[tuple[bytes, str], ...] = (
    (b"PK\x03\x04", ARCHIVE),
    (b"PK\x05\x06", ARCHIVE),
    (b"PK\x07\x08", ARCHIVE),
    (b"Rar!\x1a\x07", ARCHIVE),
    (b"7z\xbc\xaf\x27\x1c", ARCHIVE),
    (b"\x1f\x8b", ARCHIVE),
    (b"BZh", ARCHIVE),
    (b"\xfd7zXZ\x00", ARCHIVE),
    (b"\x28\xb5\x2f\xfd", ARCHIVE),
    (b"\x04\x22\x4d\x18", ARCHIVE),
    (b"MSCF\x00\x00\x00\x00", ARCHIVE),
    (b"!<arch>\n", ARCHIVE),
    (b"\xff\xd8\xff", PICTURE),
    (b"\x89PNG\r\n\x1a\n", PICTURE),
    (b"GIF87a", PICTURE),
    (b"GIF89a", PICTURE),
    (b"II*\x00", PICTURE),
    (b"MM\x00*", PICTURE),
    (b"8BPS\x00", PICTURE),
    (b"\x00\x00\x01\x00\x01\x00", PICTURE),
    (b"\x00\x00\x00\x0cjP  ", PICTURE),
    (b"\x00\x00\x00\x0cJXL ", PICTURE),
    (b"\xff\x4f\xff\x51", PICTURE),
    (b"\xff\x0a", PICTURE),
    (b"\x76\x2f\x31\x01", PICTURE),
    (b"DDS ", PICTURE),
    (b"qoif", PICTURE),
    (b"FUJIFILM", PICTURE),
    (b"\x7fELF", PROGRAM),
    (b"MZ", PROGRAM),
    (b"FWS", PROGRAM),
    (b"CWS", PROGRAM),
    (b"ZWS", PROGRAM),
    (b"%PDF-", DOCUMENT),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", DOCUMENT),
    (b"SQLite format 3\x00", DOCUMENT),
)
PICTURE_BRANDS = (b"heic", b"heix", b"heim", b"heis", b"mif1", b"avif", b"crx ", b"jpeg")

# What a text begins with, after white space and a byte order mark, in small letters.
TEXTS: tuple[tuple[bytes, str], ...] = (
    (b"#extm3u", PLAYLIST),
    (b"ffconcat", PLAYLIST),
    (b"[playlist]", PLAYLIST),
    (b"[reference]", PLAYLIST),
    (b"<mpd", PLAYLIST),
    (b"<smil", PLAYLIST),
    (b"<asx", PLAYLIST),
    (b"<playlist", PLAYLIST),
    (b"rtsptext", PLAYLIST),
    (b"v=0", "This is a description of a network stream (SDP), not a video."),
    (b"#!amr", ""),  # sound, after all
    (b"#!", SCRIPT),
    (b"@echo off", SCRIPT),
    (b"%!ps", DOCUMENT),
    (b"{\\rtf", DOCUMENT),
)
MARKUP_START = re.compile(rb"<(\?xml|!doctype|!--|[a-z][a-z0-9:]*[\s>/])")
NETPBM = re.compile(rb"P[1-7]\s+\d+\s+\d+\s")
PRINTABLE = re.compile(r"[^\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]*")


def refuse(head: bytes) -> None:
    """Raises RefusedMedia if *head* begins a file that is refused on purpose."""
    for magic, reason in BINARY:
        if head.startswith(magic):
            raise RefusedMedia(reason)
    if head[257:262] == b"ustar":
        raise RefusedMedia(ARCHIVE)
    if head[0x8001:0x8006] == b"CD001":
        raise RefusedMedia(DISC)
    if _is_picture(head):
        raise RefusedMedia(PICTURE)
    _refuse_text(head)


def _is_picture(head: bytes) -> bool:
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return True
    if head[4:8] == b"ftyp" and head[8:12] in PICTURE_BRANDS:
        return True
    is_bitmap = head[:2] == b"BM" and head[6:10] == bytes(4) and len(head) > 18
    return is_bitmap or NETPBM.match(head[:64]) is not None


def _refuse_text(head: bytes) -> None:
    start = head[:4096]
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be")):
        text = start.removeprefix(mark).decode(encoding, "replace")
        if start.startswith(mark) and PRINTABLE.fullmatch(text) and "\ufffd" not in text[:-1]:
            start = text.encode()
            break
    plain = start.removeprefix(b"\xef\xbb\xbf").lstrip(b" \t\r\n\f\v").lower()
    for word, reason in TEXTS:
        if plain.startswith(word):
            if reason:
                raise RefusedMedia(reason)
            return
    if MARKUP_START.match(plain):
        words = (b"<mpd", b"<smil", b"<smoothstreamingmedia", b"<asx")
        raise RefusedMedia(PLAYLIST if any(word in plain for word in words) else MARKUP)
    try:
        text = start.decode()
    except UnicodeDecodeError as error:
        if len(start) - error.start > 4 or len(head) == len(start):
            return  # not merely a character cut in two by our reading
        text = start[: error.start].decode()
    if PRINTABLE.fullmatch(text):
        raise RefusedMedia(TEXT)
