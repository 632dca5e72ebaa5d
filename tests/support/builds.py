"""Another build of the encoder, and later releases of our own code."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import headwater
from tests.support.clips import FFMPEG, run

PLAN = Path("planning") / "plan.py"
VERSIONS = Path("engines") / "database" / "migrations" / "versions"
MIGRATION = '''"""A release later."""

import sqlalchemy as sa
from alembic import op

revision = "{number:04}"
down_revision = "{before:04}"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table("later_{number}", sa.Column("id", sa.Integer(), primary_key=True))
    with op.batch_alter_table("videos") as videos:
        videos.add_column(sa.Column("later_{number}", sa.Text(), nullable=True))
        videos.create_index("ix_videos_later_{number}", ["later_{number}"])
    op.execute("UPDATE videos SET later_{number} = title")
'''


@contextmanager
def other_build() -> Iterator[Path]:
    """Yield another build by its name: the same program that says another version of itself.

    It lies where the codec's sandbox, which is nobody, may look.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        program = Path(folder) / "ffmpeg"
        shutil.copy2(FFMPEG, program)
        said = re.search(r"ffmpeg version (\S+)", run("-version").decode())
        assert said
        version = said[1].encode()
        other = version[:-1] + (b"x" if version[-1:] != b"x" else b"y")
        program.write_bytes(program.read_bytes().replace(version, other))
        yield program


@contextmanager
def later_release(releases: int) -> Iterator[Path]:
    """Yield a folder to import `headwater` from, so many *releases* after ours.

    Each of them migrates the database once more, and plans the same source otherwise.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        code = Path(folder) / "headwater"
        shutil.copytree(Path(headwater.__file__).parent, code)
        newest = max(int(path.name[:4]) for path in (code / VERSIONS).glob("[0-9]*.py"))
        for number in range(newest + 1, newest + 1 + releases):
            script = code / VERSIONS / f"{number:04}_later.py"
            script.write_text(MIGRATION.format(number=number, before=number - 1))
        plan = (code / PLAN).read_text()
        later, found = re.subn(
            r"(?m)^VERSION = (\d+)", lambda version: f"VERSION = {int(version[1]) + releases}", plan
        )
        assert found == 1
        (code / PLAN).write_text(later)
        yield Path(folder)
