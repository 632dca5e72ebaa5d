"""Every question the code asks is a row of the catalogue, and every row is asked by somebody."""

import ast
from collections.abc import Iterator
from pathlib import Path

from headwater.access.decide import Action
from headwater.operations.catalogue import CATALOGUE
from tests.architecture.source import PACKAGE, modules, name_of

ROWS = {row.name for row in CATALOGUE}
ASKING = {"run", "ask", "_ask", "_run", "call"}


def strings(path: Path) -> set[str]:
    return {
        node.value
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def asked(path: Path) -> Iterator[str]:
    """Yield the literal operation names that *path* hands to a runner."""
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        called = getattr(node.func, "attr", None) or getattr(node.func, "id", None)
        for argument in node.args[:2] if called in ASKING else []:
            is_text = isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            if is_text and "." in argument.value:
                yield argument.value


def test_names_are_unique() -> None:
    assert len(ROWS) == len(CATALOGUE)


def test_what_is_asked_is_a_row() -> None:
    """A typo in a name would otherwise wait for its first user."""
    strangers = {(name_of(path), name) for path in modules() for name in asked(path)}
    assert not {(where, name) for where, name in strangers if name not in ROWS}


def test_every_row_is_asked_by_a_face_a_command_or_a_job() -> None:
    """A row nobody can reach is either dead or a missing face."""
    rows = PACKAGE / "operations" / "catalogue"
    callers = [path for path in modules() if rows not in path.parents]
    spoken = set().union(*(strings(path) for path in callers))
    assert not ROWS - spoken


def test_every_row_says_why() -> None:
    for row in CATALOGUE:
        assert row.because.endswith("."), row.name
        assert (row.does.__doc__ or "").strip(), row.name


def test_permissions_are_declared_and_used() -> None:
    """An action nobody asks for is a policy nobody tests."""
    actions = {row.permission.action for row in CATALOGUE}
    assert actions <= set(Action)
    names = set().union(*(_names(path) for path in modules() if path.name != "decide.py"))
    assert not {action for action in Action if action.name not in names}


def _names(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    return {node.attr for node in ast.walk(tree) if isinstance(node, ast.Attribute)}
