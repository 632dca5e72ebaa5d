"""docs/metrics.md is what observe/ declares, printed."""

import ast
from pathlib import Path

from headwater.observe import spans
from headwater.observe.spans import SPANS
from headwater.observe.table import as_markdown, rows
from tests.architecture.source import modules

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"


def test_the_page_is_the_declarations() -> None:
    """Make it anew with `headwater metrics --markdown > docs/metrics.md`."""
    assert PAGE.read_text(encoding="utf-8") == as_markdown()


def test_names_are_ours_with_unit_and_meaning() -> None:
    for name, kind, _, about in rows():
        assert name.startswith("headwater_"), name
        assert about.endswith("."), name
        assert kind != "histogram" or name.endswith("_seconds"), name


def test_every_span_is_opened_somewhere() -> None:
    """A name nobody uses is one somebody searches for in vain."""
    declared = {name for name in vars(spans) if name.isupper() and name != "SPANS"}
    used = {
        node.id
        for path in modules()
        if path.name != "spans.py"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Name)
    }
    assert len(declared) == len(SPANS)
    assert not declared - used
