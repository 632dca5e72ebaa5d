"""Which layers of the sandbox work here: each is raised once, then attacked from inside."""

import platform
import re
import struct
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import anyio

from headwater.engines.media.process import Codec, Limits, run
from headwater.engines.media.seccomp import PROGRAM_DESCRIPTOR, seccomp_program
from headwater.model.errors import CodecFailed, Unavailable

PT_INTERP = 3  # elf.h
PROBE = Limits(wall_s=20, cpu_s=10, output_bytes=0)
LAYERS = {
    "limits": "processor time, memory, open files, no file written",
    "namespaces": "a network, IPC and mounts of its own",
    "nobody": "not root",
    "no new privileges": "and it dies with the server",
    "landlock": "no file but the codec's own",
    "seccomp": "no sockets, no other programs, no other processes",
}
NEEDED = {"network": "no network", "files": "no foreign files"}
_NEEDED_BY = {"network": ("seccomp", "namespaces"), "files": ("landlock",)}


class Layer(NamedTuple):
    """One layer, and *detail*: what it holds, or why it does not work."""

    name: str
    works: bool
    detail: str


async def sandbox_layers(program: str) -> list[Layer]:
    """Raise every layer once for *program* and attack it from inside; say what holds.

    The last lines are the two promises without which nothing should be processed.

    Raises:
        Unavailable: there is no such program, or nothing could be started at all.
    """
    codec = await anyio.to_thread.run_sync(sandboxed, program)
    failures, escapes = await _probe(codec)
    layers = [
        Layer(name, name not in failures, failures.get(name, detail))
        for name, detail in LAYERS.items()
    ]
    for need, promise in NEEDED.items():
        escaped = [escape for escape in escapes if escape.startswith(need)]
        held = not escaped and any(name not in failures for name in _NEEDED_BY[need])
        layers.append(Layer(promise, held, "tried from inside" if held else "not held here"))
    return layers


def sandboxed(program: str, required: Sequence[str] = ()) -> Codec:
    """Return *program* with the orders of launch.py; a run without a *required* layer fails.

    Raises:
        Unavailable: there is no such program.
    """
    path = Path(program).resolve()
    return Codec(
        program=str(path),
        sandbox=(
            *(("file", file) for file in (str(path), *_libraries(path))),
            ("descriptor", str(PROGRAM_DESCRIPTOR)),
            ("seccomp", (seccomp_program(platform.machine()) or b"").hex()),
            *(("required", layer) for layer in required),
        ),
    )


async def _probe(codec: Codec) -> tuple[dict[str, str], list[str]]:
    """Return why layers failed, and what was possible from inside."""
    probing = Codec(program=codec.program, sandbox=(*codec.sandbox, ("probe", "")))
    try:
        finished = await run(probing, (), body=b"", outputs=0, limits=PROBE)
    except CodecFailed as error:
        raise Unavailable(f"The codec sandbox cannot be tried: {error}") from None
    told = finished.errors.decode("utf-8", "replace")
    if finished.status != 0:
        raise Unavailable(f"The codec sandbox cannot be tried: {told[-200:]}")
    failures = dict(re.findall(r"^failed=([^:]+): (.*)$", told, re.MULTILINE))
    return failures, re.findall(r"^escape=(.*)$", told, re.MULTILINE)


def _libraries(path: Path) -> list[str]:
    """Return the loader of *path* and the libraries it would load, as the loader itself says."""
    try:
        loader = _loader(path)
    except OSError as error:
        raise Unavailable(f"{path} cannot be opened: {error.strerror}.") from None
    if loader is None:
        return []
    listed = subprocess.run(  # noqa: S603
        [loader, "--list", path], capture_output=True, check=False, env={}, timeout=20
    )
    found = re.findall(r"(/\S+) \(0x", listed.stdout.decode("utf-8", "replace"))
    return sorted({str(Path(file).resolve()) for file in (loader, *found)})


def _loader(path: Path) -> str | None:
    """Return the ELF interpreter (PT_INTERP) of *path*, None for a static program."""
    with path.open("rb") as file:
        head = file.read(64)
        if head[:5] != b"\x7fELF\x02":
            raise Unavailable(f"{path} is no program for a 64-bit Linux.")
        (table,) = struct.unpack_from("<Q", head, 32)
        size, count = struct.unpack_from("<HH", head, 54)
        for number in range(count):
            file.seek(table + number * size)
            kind, offset, length = struct.unpack("<I4xQ16xQ", file.read(40))
            if kind == PT_INTERP:
                file.seek(offset)
                return file.read(length).rstrip(b"\0").decode()
    return None
