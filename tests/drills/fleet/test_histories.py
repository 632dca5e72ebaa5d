"""The judge of histories finds what is wrong, and nothing else."""

from tests.drills.fleet.histories import Kind, Seen, missing_own_writes, not_linearizable, too_old


def seen(
    kind: Kind, version: int, asked: float, told: float, *, client: int = 1, age_s: float = 0.0
) -> Seen:
    return Seen(kind, client, "a", asked, told, version, age_s)


def test_overlapping_writes_and_reads_may_come_in_any_order() -> None:
    history = [
        seen("write", 2, 0, 10),
        seen("write", 1, 0, 10, client=2),
        seen("primary", 0, 1, 2),
        seen("primary", 2, 3, 4),
        seen("write", 4, 11, 12),  # 3 was never answered
        seen("primary", 4, 13, 14),
    ]
    assert not_linearizable(history) == []


def test_a_read_before_an_acknowledged_write_is_found() -> None:
    old = seen("primary", 1, 3, 4)
    assert not_linearizable([seen("write", 1, 0, 1), seen("write", 2, 1, 2), old]) == [(old, 2)]


def test_a_read_older_than_another_read_is_found() -> None:
    old = seen("primary", 1, 3, 4)
    history = [seen("write", 2, 0, 9), seen("primary", 2, 1, 2), old]
    assert not_linearizable(history) == [(old, 2)]


def test_two_writes_of_one_version_are_found() -> None:
    """Two primaries at once."""
    second = seen("write", 1, 0.5, 3, client=2)
    assert not_linearizable([seen("write", 1, 0, 1), second]) == [(second, 0)]


def test_a_write_that_went_back_is_found() -> None:
    lost = seen("write", 2, 5, 6)
    assert not_linearizable([seen("write", 3, 0, 1), lost]) == [(lost, 3)]


def test_own_writes_bind_their_client_only() -> None:
    mine = seen("own", 1, 3, 4)
    history = [seen("write", 2, 0, 1), mine, seen("own", 1, 3, 4, client=2)]
    assert missing_own_writes(history) == [(mine, 2)]


def test_stale_reads_have_a_bound_and_beyond_it_their_age() -> None:
    old = seen("stale", 0, 12, 13)
    history = [
        seen("write", 1, 0, 1),
        seen("stale", 0, 10.9, 11),
        seen("stale", 0, 20, 21, age_s=20),
        old,
    ]
    assert too_old(history, within_s=10) == [(old, 1)]
