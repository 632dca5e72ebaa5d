"""docs/operations.md is the catalogue, printed."""

from pathlib import Path

from headwater.access.decide import Action
from headwater.operations.catalogue import CATALOGUE
from headwater.operations.operation import Idempotency
from headwater.operations.table import as_markdown, as_rows

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"


def test_the_page_is_the_table() -> None:
    """Make it anew with `headwater operations --markdown > docs/operations.md`."""
    assert PAGE.read_text(encoding="utf-8") == as_markdown(CATALOGUE)


def test_names_are_unique_and_every_row_says_what_and_why() -> None:
    rows = as_rows(CATALOGUE)

    assert len({row["name"] for row in rows}) == len(rows)
    for row in rows:
        assert row["does"].endswith((".", "?")), row["name"]
        assert row["because"].endswith("."), row["name"]


def test_only_reads_are_cached() -> None:
    for row in CATALOGUE:
        assert row.cache is None or row.idempotency is Idempotency.READ, row.name


def test_permissions_and_rows_know_each_other() -> None:
    """A permission nobody asks for, or one nobody declared, is a mistake somewhere."""
    assert {row.permission.action for row in CATALOGUE} <= set(Action)
