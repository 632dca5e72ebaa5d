"""Start-up stays light: what a command does not need, it does not import."""

import subprocess
import sys
from pathlib import Path

import pytest

DRIVERS = ("aio_pika", "asyncpg", "boto3", "obstore", "opentelemetry", "redis")
HEAVY = ("alembic", "numpy", "fastapi", "httpx", "rich.progress", "sqlalchemy")


def loaded_after(statement: str) -> set[str]:
    """Return the names of all modules a fresh interpreter holds after *statement*."""
    answer = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules, sep='\\n')"],
        capture_output=True,
        check=True,
        text=True,
    )
    return set(answer.stdout.split())


@pytest.mark.parametrize("library", ["alembic", "numpy"])
def test_composing_imports_no_planner_and_no_migrations(library: str) -> None:
    """Idle memory is a promise: numpy comes with the first plan, alembic only to migrate."""
    assert library not in loaded_after("import headwater.compose.services")


def test_help_imports_no_engine() -> None:
    """`headwater --help` answers at once."""
    assert not set(HEAVY) & loaded_after("import headwater.cli.main")


def test_one_process_imports_no_driver_of_a_fleet(tmp_path: Path) -> None:
    """Every engine opened as nobody has set it: who installed no driver lacks nothing."""
    code = (
        "import asyncio\n"
        "from pathlib import Path\n"
        "from headwater.compose.core import open_core\n"
        "from headwater.settings import Settings\n"
        "async def main():\n"
        f"    async with open_core(Settings(data=Path({str(tmp_path)!r}))):\n"
        "        pass\n"
        "asyncio.run(main())"
    )
    assert not set(DRIVERS) & loaded_after(code)
