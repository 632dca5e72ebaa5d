"""A bitmap counts what was set, whatever the order."""

from hypothesis import given
from hypothesis import strategies as st

from headwater.pipeline import bitmap


@given(st.integers(1, 300), st.data())
def test_bits_are_what_was_set(segments: int, data: st.DataObject) -> None:
    chosen = data.draw(st.lists(st.integers(0, segments - 1)))
    bits = bitmap.empty(segments)
    for index in chosen:
        bits = bitmap.with_bit(bits, index)

    assert bitmap.count(bits) == len(set(chosen))
    assert [i for i in range(segments) if bitmap.has(bits, i)] == sorted(set(chosen))
    for index in chosen:
        bits = bitmap.with_bit(bits, index, present=False)
    assert bits == bitmap.empty(segments)
