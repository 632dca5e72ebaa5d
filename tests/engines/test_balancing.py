"""Which of several is asked next, and which is left alone a while."""

from hypothesis import given
from hypothesis import strategies as st

from headwater.forces.balancing import BACK_AFTER, FADES_S, OUT_AFTER, Standing, by_cost

times = st.floats(min_value=0.0001, max_value=10.0)
standings = st.builds(Standing, response_s=times, measured_at=st.just(0.0))


@given(st.lists(st.tuples(standings, st.integers(0, 50)), max_size=8))
def test_everyone_who_is_in_has_a_place_and_cheaper_ones_come_first(
    candidates: list[tuple[Standing, int]],
) -> None:
    order = by_cost(candidates, now=0.0)
    costs = [candidates[p][0].response_s * (candidates[p][1] + 1) for p in order]
    assert sorted(order) == list(range(len(candidates)))
    assert costs == sorted(costs)


@given(standings, times)
def test_a_slow_answer_is_believed_at_once_and_a_quick_one_bit_by_bit(
    known: Standing, took_s: float
) -> None:
    after = known.answered(took_s, now=0.0)
    assert min(known.response_s, took_s) <= after.response_s <= max(known.response_s, took_s)
    if took_s >= known.response_s:
        assert after.response_s == took_s


@given(standings)
def test_what_is_known_fades_so_that_the_slow_are_asked_again(known: Standing) -> None:
    soon, late = known.expected_s(FADES_S), known.expected_s(100 * FADES_S)
    assert known.expected_s(0.0) == known.response_s > soon > late
    quick = Standing(response_s=known.response_s / 1000, measured_at=100 * FADES_S)
    assert by_cost([(quick, 0), (known, 0)], now=100 * FADES_S)[0] == 1


def test_equals_share_the_work() -> None:
    """Also while nothing is known of any of them."""
    standing, asked = [Standing(), Standing(), Standing()], []
    for now in range(1, 7):
        place = by_cost([(one, 0) for one in standing], now=float(now))[0]
        standing[place] = standing[place].answered(0.01, float(now))
        asked.append(place)
    assert sorted(asked[:3]) == [0, 1, 2]
    assert sorted(asked[3:]) == [0, 1, 2]


def test_who_has_many_waiting_is_asked_less() -> None:
    quick, slow = Standing(0.01, 0.0), Standing(0.05, 0.0)
    assert by_cost([(quick, 3), (slow, 0)], now=0.0) == [0, 1]
    assert by_cost([(quick, 5), (slow, 0)], now=0.0) == [1, 0]


def test_out_after_few_failures_and_back_after_few_successes() -> None:
    standing = Standing().answered(0.01, 1.0)
    for _ in range(OUT_AFTER - 1):
        standing = standing.failed()
    assert by_cost([(standing, 0)], now=1.0) == [0]
    standing = standing.answered(0.01, 2.0).failed()
    assert not standing.is_out, "failures count in a row"
    for _ in range(OUT_AFTER):
        standing = standing.failed()
    assert by_cost([(standing, 0)], now=2.0) == []
    for _ in range(BACK_AFTER - 1):
        standing = standing.answered(0.01, 3.0)
    assert standing.failed().is_out
    assert not standing.answered(0.01, 3.0).is_out
