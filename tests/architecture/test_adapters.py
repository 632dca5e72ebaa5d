"""Engines: one port each, every adapter named, walled off and held to its contract suite."""

import ast
from pathlib import Path

import pytest

from tests.architecture.adapters import Adapter, adapters, ports
from tests.architecture.source import PACKAGE, ROOT, dotted, imports_of, modules, name_of, reaches

PORT_METHODS = 8  # a port with more is two ports


def classes(path: Path) -> list[ast.ClassDef]:
    return [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef)]


def has_reach(found: ast.ClassDef) -> bool:
    """Say whether the class states its reach, as an attribute or a property."""
    names = {getattr(node, "name", "") for node in found.body}
    return "reach" in names or any(
        isinstance(node, ast.Assign | ast.AnnAssign) and "id='reach'" in ast.dump(node)
        for node in found.body
    )


@pytest.mark.parametrize("port", ports(), ids=lambda port: port.parent.name)
def test_a_port_has_few_methods(port: Path) -> None:
    """At most eight, besides `reach`, `check` and `close`, which every engine has."""
    for protocol in classes(port):
        methods = {
            node.name
            for node in protocol.body
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        }
        assert len(methods - {"reach", "check", "close", "build"}) <= PORT_METHODS, protocol.name


@pytest.mark.parametrize("adapter", list(adapters()), ids=lambda a: f"{a.engine}/{a.module}")
def test_an_adapter_named_in_a_header_exists(adapter: Adapter) -> None:
    assert adapter.path.is_file()
    assert adapter.name in {found.name for found in classes(adapter.path)}


def test_every_class_with_a_reach_is_a_named_adapter() -> None:
    """Who has a reach is an adapter, so no adapter hides from its port's header."""
    named = {(adapter.path, adapter.name) for adapter in adapters()}
    for path in (PACKAGE / "engines").glob("*/*.py"):
        if path.name == "port.py":
            continue
        for found in classes(path):
            assert not has_reach(found) or (path, found.name) in named, (
                f"{name_of(path)}: {found.name}"
            )


@pytest.mark.parametrize("adapter", list(adapters()), ids=lambda a: f"{a.engine}/{a.module}")
def test_only_compose_imports_an_adapter(adapter: Adapter) -> None:
    """Everybody else sees the port, so a second adapter changes one file."""
    target = dotted(adapter.path)
    importers = {
        name_of(path)
        for path in modules()
        if path.parent != adapter.path.parent
        and any(reaches(name, target) for name in imports_of(path))
    }
    assert all(name.startswith("compose/") for name in importers)


@pytest.mark.parametrize("adapter", list(adapters()), ids=lambda a: f"{a.engine}/{a.module}")
def test_every_adapter_is_a_parameter_of_its_contract_suite(adapter: Adapter) -> None:
    """The suite names the adapter's module as a string: a second adapter is one more parameter."""
    suite = ROOT / "tests" / "contracts" / f"test_{adapter.engine}.py"
    assert suite.is_file()
    strings = {
        node.value
        for node in ast.walk(ast.parse(suite.read_text()))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    assert adapter.module in strings
