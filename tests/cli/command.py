"""The command line as people use it: another process, its two streams and its status."""

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

COMMAND = Path(sys.executable).parent / "headwater"
DEADLINE_S = 60


@dataclass(frozen=True, slots=True)
class Answer:
    out: str
    err: str
    status: int


def bare_environment() -> dict[str, str]:
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}  # noqa: TID251
    return kept | {"COLUMNS": "200", "NO_COLOR": "1"}


def headwater(*words: str | Path, deadline_s: float = DEADLINE_S, **variables: str) -> Answer:
    """Run `headwater` with *words*, and *variables* besides a bare environment."""
    done = subprocess.run(
        [COMMAND, *map(str, words)],
        env=bare_environment() | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        text=True,
        timeout=deadline_s,
    )
    return Answer(done.stdout, done.stderr, done.returncode)
