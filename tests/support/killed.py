"""A program that is killed in the middle of its work, and what it had said before."""

import subprocess
import sys
from pathlib import Path


def said_before_kill(program: str, where: Path | str, *, lines: int) -> list[str]:
    """Run *program* with the argument *where*, kill it after so many *lines*, return all of them.

    Those it had written but we had not read when it died are among them.
    """
    with subprocess.Popen(
        [sys.executable, "-c", program, str(where)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        seen = [child.stdout.readline().strip() for _ in range(lines)]
        child.kill()
        return seen + child.stdout.read().split("\n")[:-1]
