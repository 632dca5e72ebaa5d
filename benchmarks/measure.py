"""Measuring: CPU time of processes, runs of programs, percentiles."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")


def run(command: Sequence[str | Path], *, stdin: bytes | None = None) -> tuple[float, str]:
    """Run *command* to its end and return its CPU seconds (user and system) and what it wrote."""
    with subprocess.Popen(
        [str(part) for part in command],
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        if stdin is not None and process.stdin:
            process.stdin.write(stdin)
            process.stdin.close()
        assert process.stdout is not None
        said = process.stdout.read().decode(errors="replace")
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"{command[0]} failed:\n{said[-2000:]}")
    return used.ru_utime + used.ru_stime, said


def tree(pid: int) -> list[int]:
    """Return *pid* and every process below it."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*"):
            with suppress(FileNotFoundError, ProcessLookupError):
                children = (task / "children").read_text(encoding="ascii").split()
                found += [int(child) for child in children]
    return found


def cpu_s(pid: int) -> float:
    """Return the CPU seconds that *pid* and what it started have used so far."""
    used = 0
    for one in tree(pid):
        with suppress(FileNotFoundError):  # ended just now: its parent has its time
            fields = Path(f"/proc/{one}/stat").read_text(encoding="utf-8")
            # utime, stime, and those of the children that have ended
            used += sum(int(field) for field in fields.rpartition(")")[2].split()[11:15])
    return used * TICK_S


def resident_bytes(pid: int) -> int:
    """Return the memory of *pid* and what it started, what they share counted once (PSS)."""
    total = 0
    for one in tree(pid):
        for line in Path(f"/proc/{one}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


@contextmanager
def children_cpu_s() -> Iterator[list[float]]:
    """Give a list that holds, after the block, the CPU seconds of the children that ended in it."""
    before = os.times()
    used: list[float] = []
    yield used
    after = os.times()
    used.append(
        after.children_user + after.children_system - before.children_user - before.children_system
    )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value that *share* of *values* do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]
