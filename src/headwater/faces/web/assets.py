"""The built scripts and styles: their names from vite's manifest, their bytes ready compressed.

Flow      tools/build_web.py writes static/built → Assets reads the manifest → templates name files.
Promises  a built file's name holds the hash of its content, so it is immutable for browsers.
"""

import json
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from headwater.model.errors import NotFound, SettingsError

STATIC = Path(__file__).parent / "static"
BUILT = "/static/built/"
TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
ENCODINGS = (("br", ".br"), ("gzip", ".gz"))  # best first
A_YEAR = "public, max-age=31536000, immutable"
AN_HOUR = "public, max-age=3600"


class Assets:
    """Addresses of what the pages load.

    Raises:
        SettingsError: nothing has been built yet.
    """

    def __init__(self, static: Path = STATIC) -> None:
        path = static / "built" / "manifest.json"
        if not path.exists():
            raise SettingsError(
                "The pages' scripts are not built. Run `python tools/build_web.py` once "
                "(`make serve` does it), or install Headwater from a wheel."
            )
        self._manifest: dict[str, dict[str, Any]] = json.loads(path.read_text())
        self.style = self._address("styles/main.css")
        self.home = self._address("pages/home.ts")
        self.watch = self._address("pages/watch.ts")
        self.upload = self._address("pages/upload.ts")
        self.studio = self._address("pages/studio.ts")
        self.engine = tuple(dict.fromkeys(self._engine("pages/watch.ts")))

    def _address(self, source: str) -> str:
        return f"{BUILT}{self._manifest[source]['file']}"

    def _engine(self, source: str) -> Iterator[str]:
        """Yield what the watch page needs before it can play, so that it loads side by side."""
        entry = self._manifest[source]
        for name in entry.get("imports", ()):
            yield self._address(name)
        for name in entry.get("dynamicImports", ()):
            if "hls" in name:  # the manifest that pages play by default
                yield self._address(name)


@lru_cache(maxsize=256)
def _read(path: Path) -> bytes | None:
    """Keep what was read: a deployment has about fifty of these files, 2 MB in all."""
    return path.read_bytes() if path.is_file() else None


def accepted(header: str) -> set[str]:
    """Return the encodings a client takes, those with q=0 left out (RFC 9110 §12.5.3)."""
    names = (part.split(";") for part in header.split(","))
    return {name.strip() for name, *q in names if not q or q[0].replace(" ", "") != "q=0"}


async def static_file(request: Request) -> Response:
    """Answer one file below static/, compressed ahead of time where the client takes that."""
    return answer_file(request.path_params["path"], request.headers.get("accept-encoding", ""))


async def favicon(request: Request) -> Response:
    return answer_file("favicon.svg", request.headers.get("accept-encoding", ""))


def answer_file(name: str, accept_encoding: str) -> Response:
    path = (STATIC / name).resolve()
    media_type = TYPES.get(path.suffix)
    if media_type is None or not path.is_relative_to(STATIC):
        raise NotFound("There is no such file.")
    headers = {
        "cache-control": A_YEAR if name.startswith("built/") else AN_HOUR,
        "vary": "accept-encoding",
        "x-content-type-options": "nosniff",
    }
    takes = accepted(accept_encoding)
    for encoding, suffix in ENCODINGS:
        if encoding in takes and (body := _read(path.with_name(path.name + suffix))) is not None:
            headers["content-encoding"] = encoding
            return Response(body, media_type=media_type, headers=headers)
    if (body := _read(path)) is None:
        raise NotFound("There is no such file.")
    return Response(body, media_type=media_type, headers=headers)
