"""Ranges and validators follow RFC 9110 to the letter, whatever a client sends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from headwater.delivery.ranges import matches, range_still_valid, wanted_range
from headwater.model.errors import RangeNotSatisfiable


@pytest.mark.parametrize(
    ("header", "size", "part"),
    [
        (None, 100, None),
        ("bytes=0-0", 100, (0, 1)),
        ("bytes=10-", 100, (10, 100)),
        ("bytes=-30", 100, (70, 100)),
        ("bytes=-300", 100, (0, 100)),
        ("bytes=90-400", 100, (90, 100)),
        ("bytes=5-2", 100, None),
        ("bytes=0-1,5-6", 100, None),
        ("items=0-1", 100, None),
        ("bytes=-", 100, None),
        ("bytes=a-b", 100, None),
    ],
)
def test_a_range_is_half_open_or_ignored(
    header: str | None, size: int, part: tuple[int, int] | None
) -> None:
    assert wanted_range(header, size) == part


@pytest.mark.parametrize(
    ("header", "size"), [("bytes=100-", 100), ("bytes=0-", 0), ("bytes=-0", 9)]
)
def test_a_range_behind_the_end_is_refused(header: str, size: int) -> None:
    with pytest.raises(RangeNotSatisfiable):
        wanted_range(header, size)


@given(st.text(max_size=40), st.integers(0, 1 << 50))
def test_no_header_breaks_the_parser(header: str, size: int) -> None:
    """Whatever is sent, the answer is inside the blob, nothing, or a clear refusal."""
    try:
        part = wanted_range(f"bytes={header}", size)
    except RangeNotSatisfiable:
        return
    assert part is None or 0 <= part[0] < part[1] <= size


def test_validators_compare_names() -> None:
    assert matches('"a", W/"b"', "b")
    assert matches("*", "anything")
    assert not matches('"ab"', "b")
    assert not matches(None, "b")
    assert range_still_valid(None, "x")
    assert range_still_valid('"x"', "x")
    assert not range_still_valid('W/"x"', "x")
    assert not range_still_valid("Sat, 21 Nov 2026 00:00:00 GMT", "x")
