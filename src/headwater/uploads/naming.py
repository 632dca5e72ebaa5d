"""What a new video is called before anybody has edited it: the words its upload came with."""

import re
from collections.abc import Mapping

from headwater.model.errors import InvalidInput
from headwater.model.video import Visibility

TITLE_CHARACTERS = 200  # as wide as its column
DESCRIPTION_CHARACTERS = 5000
METADATA_BYTES = 16_384  # more is no description of a file
UNTITLED = "Untitled"


def filename_of(metadata: Mapping[str, str]) -> str:
    """Return the file's own name, without any folder a client put before it."""
    given = metadata.get("filename") or metadata.get("name") or ""
    return re.split(r"[/\\]", given)[-1].strip()[:255]


def title_of(metadata: Mapping[str, str]) -> str:
    """Return the given title, else the file's name as a person would say it."""
    stem = re.sub(r"\.[A-Za-z0-9]{1,5}$", "", filename_of(metadata)).replace("_", " ")
    for given in (metadata.get("title", ""), stem):
        line = " ".join(_printable(given).split())[:TITLE_CHARACTERS].strip()
        if line:
            return line
    return UNTITLED


def description_of(metadata: Mapping[str, str]) -> str:
    return _printable(metadata.get("description", ""), "\n\t").strip()[:DESCRIPTION_CHARACTERS]


def visibility_of(metadata: Mapping[str, str]) -> Visibility:
    """Raises InvalidInput for a word that is no visibility."""
    given = metadata.get("visibility")
    if not given:
        return Visibility.PUBLIC
    try:
        return Visibility(given)
    except ValueError:
        known = ", ".join(Visibility)
        raise InvalidInput(f"A video's visibility is one of {known}.") from None


def require_sane(metadata: Mapping[str, str]) -> None:
    """Raises InvalidInput if there is too much of it to keep."""
    if sum(len(key) + len(value.encode()) for key, value in metadata.items()) > METADATA_BYTES:
        raise InvalidInput(f"An upload's metadata has at most {METADATA_BYTES} bytes.")


def _printable(text: str, besides: str = "") -> str:
    return "".join(c if c.isprintable() or c in besides else " " for c in text)
