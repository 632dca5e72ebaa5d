"""The tables of the drills stand in one page, each in its place."""

from pathlib import Path

from tests.drills.fleet.tables import write


def test_a_table_takes_the_place_of_its_last_and_of_no_other(tmp_path: Path) -> None:
    page = tmp_path / "drills.md"
    write("faults", "| a |", page)
    write("consistency", "| b |", page)
    first = page.read_text()
    write("faults", r"| \1 c |", page)
    assert page.read_text() == first.replace("| a |", r"| \1 c |")
    assert first.startswith("# Drills")
    assert first.index("## Faults") < first.index("| a |") < first.index("## Consistency")
