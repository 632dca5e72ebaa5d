"""Uploads begun and not ended, remembered on disk so that typing the command again resumes them."""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Started:
    """*url* is the upload's own address, *video* the id of what it becomes."""

    url: str
    video: str


class Unfinished:
    """One small file per upload below *folder*; losing it costs sending the bytes again."""

    def __init__(self, folder: Path, *, server: str) -> None:
        self._folder = folder
        self._server = server

    def find(self, path: Path) -> Started | None:
        """Return what was begun for *path* as it is now, if anything was."""
        try:
            return Started(**json.loads(self._note(path).read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def remember(self, path: Path, started: Started) -> None:
        """Keep *started*; a home that cannot be written to only costs the resuming."""
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._note(path).write_text(json.dumps(asdict(started)))
        except OSError:
            return

    def forget(self, path: Path) -> None:
        self._note(path).unlink(missing_ok=True)

    def _note(self, path: Path) -> Path:
        """Name the note after server, file, size and change: an edited file starts anew."""
        status = path.stat()
        words = (self._server, str(path.resolve()), str(status.st_size), str(status.st_mtime_ns))
        return self._folder / hashlib.sha256("\0".join(words).encode()).hexdigest()[:32]
