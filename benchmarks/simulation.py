"""A simulation of workers that share engines, event by event, in a time of its own.

A task is a list of steps, each on a resource that so many can use at once, first come, first
served; a worker does one task after the other, in the order they may begin. Nothing here asks a
clock: equal inputs give equal answers.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

OWN = ""  # what a worker has for itself: its encoder


class Step(NamedTuple):
    """So many seconds on *resource*; on OWN nobody else is in the way."""

    resource: str
    seconds: float


class Task(NamedTuple):
    """It may begin *at* a time, and not before."""

    at: float
    steps: Sequence[Step]


@dataclass(frozen=True, slots=True)
class Outcome:
    """When the last task ended, how long each waited for a worker, and how busy what was."""

    ended_s: float
    waited_s: list[float]
    busy: dict[str, float]  # share of the time that each place of a resource was at work

    @property
    def bottleneck(self) -> str:
        """The resource that was busiest."""
        return max(self.busy, key=lambda name: self.busy[name])


@dataclass(slots=True)
class _Resource:
    free: int
    used_s: float = 0.0
    line: deque[int] = field(default_factory=deque)  # workers that wait for it


def simulate(tasks: Iterable[Task], *, workers: int, places: Mapping[str, int]) -> Outcome:
    """Let *workers* do all of *tasks*, given in the order of their times."""
    waiting = deque(tasks)
    idle = deque(range(workers))
    resources = {name: _Resource(count) for name, count in places.items()}
    doing: list[deque[Step]] = [deque() for _ in range(workers)]
    events: list[tuple[float, int]] = []  # when, and whose step ends; a worker is in it once
    waited_s: list[float] = []
    own_s = now = 0.0

    def begin(worker: int) -> None:
        """Begin the worker's next step, or stand in line for it."""
        step = doing[worker][0]
        if step.resource != OWN:
            resource = resources[step.resource]
            if not resource.free:
                resource.line.append(worker)
                return
            resource.free -= 1
            resource.used_s += step.seconds
        heapq.heappush(events, (now + step.seconds, worker))

    while waiting or events:
        while waiting and idle and waiting[0].at <= now:
            task, worker = waiting.popleft(), idle.popleft()
            waited_s.append(now - task.at)
            own_s += sum(step.seconds for step in task.steps if step.resource == OWN)
            doing[worker].extend(task.steps)
            begin(worker)
        if waiting and idle and (not events or waiting[0].at < events[0][0]):
            now = waiting[0].at
            continue
        now, worker = heapq.heappop(events)
        ended = doing[worker].popleft()
        if ended.resource != OWN:
            resource = resources[ended.resource]
            resource.free += 1
            if resource.line:
                begin(resource.line.popleft())
        if doing[worker]:
            begin(worker)
        else:
            idle.append(worker)

    busy = {name: r.used_s / (now * places[name]) for name, r in resources.items()} if now else {}
    return Outcome(now, waited_s, busy | {"encoders": own_s / (now * workers) if now else 0.0})
