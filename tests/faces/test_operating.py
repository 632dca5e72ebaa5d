"""What the page Operations says of the load: one line that names what to do, or none."""

import pytest

from headwater.faces.web.operating import load_line
from headwater.faces.web.texts import Texts
from headwater.forces.admission import Admission, Limits, Load, decide

LIMITS = Limits(wait_s=120.0, floor_bytes=100)


def decided(
    *, waiting_s: float = 0.0, encoders: int = 2, free_bytes: int = 1000, answers: bool = True
) -> Admission:
    load = Load(
        waiting_s=waiting_s,
        plans=1 if waiting_s else 0,
        coming=0,
        plan_s=1.0,
        encoders=encoders,
        free_bytes=free_bytes,
        store_answers=answers,
        jobs={},
    )
    return decide(load, LIMITS)


@pytest.mark.parametrize(
    ("admission", "line"),
    [
        (decided(), ""),
        (decided(waiting_s=10), ""),
        (decided(waiting_s=50), "The queue is 1 minute long: warm-up waits."),
        (decided(waiting_s=150), "The queue is 3 minutes long: new uploads are asked to wait."),
        (decided(encoders=0), ""),
    ],
)
def test_a_queue_is_said_once_it_is_long(admission: Admission, line: str) -> None:
    assert load_line(Texts(), admission) == line


@pytest.mark.parametrize("waiting_s", [10, 150])
def test_that_nobody_makes_anything_is_said_before_the_queue_is_long(waiting_s: float) -> None:
    """A page that says "there is nothing to do" would hide it until uploads are refused."""
    line = load_line(Texts(), decided(waiting_s=waiting_s, encoders=0))
    assert "Start one: headwater serve --role worker" in line


def test_a_full_disk_and_a_store_that_is_away_come_first() -> None:
    assert "disk" in load_line(Texts(), decided(waiting_s=150, encoders=0, free_bytes=1))
    assert "store" in load_line(Texts(), decided(waiting_s=150, encoders=0, answers=False))
