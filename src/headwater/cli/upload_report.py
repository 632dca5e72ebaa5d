"""What `headwater upload` shows: bars on the terminal, one line or JSON object per file."""

import sys
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    Task,
    TaskID,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

from headwater.cli.send_files import Outcome
from headwater.forces.seconds import in_seconds


class Speed(TransferSpeedColumn):
    """Bytes per second, where bytes move; making has no such speed."""

    def render(self, task: Task) -> Text:
        return super().render(task) if task.fields["moves_bytes"] else Text()


class Report:
    """Bars go to standard error and only to a terminal; outcomes go to standard output."""

    def __init__(self, *, as_json: bool, is_terminal: bool) -> None:
        self._as_json = as_json
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            Speed(),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not is_terminal,
            redirect_stdout=False,
        )
        self._above_bars = is_terminal and sys.stdout.isatty()
        self._tasks: dict[tuple[Path, str], TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def sending(self, path: Path, sent_bytes: int, size: int) -> None:
        self._move(path, "sending", sent_bytes, size)

    def waiting(self, path: Path, after_s: float) -> None:
        """Say on standard error, beside the bars, that nothing is wrong."""
        self._progress.console.print(
            f"{path}: the server is busy; it is asked again in {in_seconds(after_s)}.",
            soft_wrap=True,
            markup=False,
            highlight=False,
        )

    def making(self, path: Path, share: float) -> None:
        self._move(path, "making", share, 1)

    def ended(self, path: Path, outcome: Outcome) -> None:
        if self._as_json:
            self._say(msgspec.json.encode(outcome).decode())
        elif outcome.failure:
            self._say(f"{path}: failed: {outcome.failure.reason}")
        else:
            damage = f" ({outcome.damage})" if outcome.damage else ""
            self._say(f"{path}: {outcome.state}: {outcome.watch_url}{damage}")

    def _move(self, path: Path, what: str, done: float, whole: float) -> None:
        if (path, what) not in self._tasks:
            self._tasks[path, what] = self._progress.add_task(
                f"{path.name}  {what}", moves_bytes=what == "sending"
            )
        self._progress.update(self._tasks[path, what], completed=done, total=whole)

    def _say(self, line: str) -> None:
        """Print *line* whole: above the bars where they share the terminal with it."""
        if self._above_bars:
            self._progress.console.print(line, soft_wrap=True, markup=False, highlight=False)
        else:
            print(line, flush=True)
