"""The adapters, as the headers of the ports name them."""

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.architecture.source import PACKAGE


@dataclass(frozen=True, slots=True)
class Adapter:
    """*engine* is the folder, *module* the file in it, *name* the class."""

    engine: str
    module: str
    name: str

    @property
    def path(self) -> Path:
        return PACKAGE / "engines" / self.engine / f"{self.module}.py"


def ports() -> list[Path]:
    return sorted((PACKAGE / "engines").glob("*/port.py"))


def adapters() -> Iterator[Adapter]:
    """Yield what stands behind "Adapters" in every port's header, as module.Class."""
    for port in ports():
        header = ast.get_docstring(ast.parse(port.read_text())) or ""
        line = re.search(r"^Adapters\s+(.*?)(?:^\S|\Z)", header, re.MULTILINE | re.DOTALL)
        for module, name in re.findall(r"\b([a-z0-9_]+)\.([A-Z]\w+)", line[1] if line else ""):
            yield Adapter(port.parent.name, module, name)
