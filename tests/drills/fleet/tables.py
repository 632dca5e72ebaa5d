"""docs/drills.md: what the drills found when all of them ran last, each table between its marks."""

import re
import sys
from pathlib import Path

from tests.drills.sample import WHOLE

PAGE = Path(__file__).parents[3] / "docs" / "drills.md"
HEAD = """# Drills

What `make drills` found when it ran last. Each drill writes its own table here.
"""


def keep(name: str, table: str, page: Path = PAGE) -> None:
    """Print *table*; if the whole drill ran, put it in place of the one called *name*."""
    sys.stdout.write(f"\n{table}\n")
    if WHOLE:
        write(name, table, page)


def write(name: str, table: str, page: Path) -> None:
    """Put *table* between the marks called *name* of *page*, at its end if there are none."""
    begin, end = f"<!-- {name} -->", f"<!-- end of {name} -->"
    text = page.read_text() if page.exists() else HEAD
    between = f"{begin}\n\n{table.strip()}\n\n{end}"
    marked = re.compile(f"{re.escape(begin)}.*?{re.escape(end)}", re.DOTALL)
    if marked.search(text):
        page.write_text(marked.sub(lambda _: between, text))
    else:
        page.write_text(f"{text.rstrip()}\n\n## {name.capitalize()}\n\n{between}\n")
