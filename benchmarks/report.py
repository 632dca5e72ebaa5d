"""What a bench says: rows with a figure, the baseline of the same run, and the target."""

import os
import platform
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """*target* is a limit of *ratio* if there is a baseline, else of *figure*."""

    what: str
    figure: float
    unit: str
    baseline: float | None = None
    against: str = ""
    target: float | None = None
    at_least: bool = False
    note: str = ""

    @property
    def ratio(self) -> float | None:
        return self.figure / self.baseline if self.baseline else None

    @property
    def verdict(self) -> str:
        if self.target is None:
            return ""
        value = self.figure if self.ratio is None else self.ratio
        holds = value >= self.target if self.at_least else value <= self.target
        return "holds" if holds else "**short**"

    def cells(self) -> list[str]:
        unit = f" {self.unit}" if self.unit else ""
        sign = "≥" if self.at_least else "≤"
        return [
            self.what,
            _number(self.figure) + unit,
            f"{_number(self.baseline)}{unit} ({self.against})" if self.baseline else "",
            f"{self.ratio:.2f} ×" if self.ratio is not None else "",
            f"{sign} {_number(self.target)}" if self.target is not None else "",
            self.verdict,
            self.note,
        ]


HEADS = ["what", "here", "baseline", "ratio", "target", "", "note"]


def table(name: str, about: str, rows: Sequence[Row]) -> str:
    """Return *rows* as a Markdown table that can be read as it is."""
    cells = [HEADS, *(row.cells() for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(HEADS))]
    lines = [
        "| "
        + " | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        + " |"
        for line in cells
    ]
    lines.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join([f"## {name}", "", about, "", *lines, ""])


def replaced(results: str, name: str, section: str) -> str:
    """Return *results* with *section* in the place of the one of *name*, or at the end."""
    head, *parts = re.split(r"(?m)^## ", results)
    sections = {part.partition("\n")[0]: f"## {part}" for part in parts} | {name: section}
    return "\n".join(part.strip("\n") + "\n" for part in (head, *sections.values()))


def circumstances() -> str:
    """Say where and on what the figures were taken."""
    cpu = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    commit = _git("describe", "--always").stdout.strip()
    is_changed = _git("diff", "--quiet", "HEAD", "--", ".", ":!benchmarks/results.md").returncode
    said = f"{commit}-dirty" if is_changed else commit
    load = "/".join(f"{value:.1f}" for value in os.getloadavg())
    return (
        f"{cpu}, {os.cpu_count()} cores, Linux {platform.release()}, "
        f"Python {platform.python_version()}, commit {said or 'unknown'}, load {load}"
    )


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if value == 0 or abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def _git(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=False)
