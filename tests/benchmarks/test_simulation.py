"""The simulation agrees with what is known without one."""

import math
from itertools import accumulate

import numpy as np
import pytest

from benchmarks.simulation import OWN, Step, Task, simulate

TASKS, SEED = 60_000, 20_260_101
TOLERANCE = 0.12  # waits depend on each other: so many are some thousand independent ones


def erlang_c(servers: int, load: float) -> float:
    """Return the chance to wait with *load* erlangs on *servers* (Erlang C)."""
    full = load**servers / math.factorial(servers) * servers / (servers - load)
    return full / (sum(load**k / math.factorial(k) for k in range(servers)) + full)


@pytest.mark.parametrize(("servers", "share"), [(1, 0.6), (3, 0.7), (8, 0.8)])
def test_waits_are_those_of_erlang(servers: int, share: float) -> None:
    """M/M/c: the mean wait is C(c, a) / (c − a), in mean services."""
    load, chance = servers * share, np.random.default_rng(SEED)
    times = accumulate(chance.exponential(1 / load, TASKS).tolist())
    services = chance.exponential(1.0, TASKS).tolist()
    tasks = [Task(at, [Step(OWN, took_s)]) for at, took_s in zip(times, services, strict=True)]

    outcome = simulate(tasks, workers=servers, places={})

    expected_s = erlang_c(servers, load) / (servers - load)
    assert sum(outcome.waited_s) / TASKS == pytest.approx(expected_s, rel=TOLERANCE)
    assert outcome.busy["encoders"] == pytest.approx(share, rel=0.05)


@pytest.mark.parametrize("workers", [1, 2, 5, 7])
def test_alone_workers_share_the_work_evenly(workers: int) -> None:
    tasks = [Task(0.0, [Step(OWN, 2.0)]) for _ in range(70)]

    assert simulate(tasks, workers=workers, places={}).ended_s == 2.0 * math.ceil(70 / workers)


def test_what_all_need_bounds_them_all() -> None:
    """A writer that each task needs for a tenth of it lets through ten workers' work, not more."""
    tasks = [Task(0.0, [Step("writer", 0.1), Step(OWN, 0.9)]) for _ in range(1000)]
    few, many = (simulate(tasks, workers=workers, places={"writer": 1}) for workers in (2, 100))

    assert few.ended_s == pytest.approx(500.0, rel=0.01)
    assert many.ended_s == pytest.approx(100.9, rel=0.001)
    assert many.bottleneck == "writer"
    assert many.busy["writer"] > 0.99


def test_two_places_serve_two_at_once() -> None:
    tasks = [Task(0.0, [Step("store", 1.0)]) for _ in range(10)]

    assert simulate(tasks, workers=10, places={"store": 2}).ended_s == 5.0
