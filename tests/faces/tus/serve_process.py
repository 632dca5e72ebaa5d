"""Serve a folder's uploads until killed: `python -m tests.faces.tus.serve_process FOLDER PORT`."""

import sys
from pathlib import Path

import anyio

from headwater.uploads import turn
from tests.faces.tus.serving import serve_system

turn.LOCK_S = 0.5  # the next life should not wait as long as people would


async def main(folder: str, port: str) -> None:
    async with serve_system(Path(folder), port=int(port)) as served:
        print(served.key, flush=True)  # noqa: T201 — how the test learns that we are up
        await anyio.sleep_forever()


anyio.run(main, *sys.argv[1:])
