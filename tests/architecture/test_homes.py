"""Some things have one home: the rules by file name, which .importlinter cannot say."""

from fnmatch import fnmatch

import pytest

from tests.architecture.source import imports_of, modules, name_of, reaches

SQL_HOMES = ("engines/database/*", "*repository.py", "engines/*/table.py")
HOMES = {
    "sqlalchemy": SQL_HOMES,
    "aio_pika": ("engines/events/*",),
    "boto3": ("engines/blobs/*",),
    "botocore": ("engines/blobs/*",),
    "obstore": ("engines/blobs/*",),
    "opentelemetry": ("observe/otlp.py",),
    "redis": ("engines/*/redis*.py", "engines/redis*.py"),
    "sqlite3": ("engines/database/*",),
    "alembic": ("engines/database/*",),
    "asyncpg": ("engines/database/postgres*",),
    "subprocess": ("engines/media/*",),
    "random": ("engines/entropy.py", "forces/*"),
    "secrets": ("engines/entropy.py",),
    "uuid": ("engines/entropy.py",),
    "uuid_utils": ("engines/entropy.py",),
    "fastapi": ("faces/*",),
    "starlette": ("faces/*", "compose/*"),
    "granian": ("compose/*", "roles.py"),
    "jinja2": ("faces/web/*",),
    "imageio_ffmpeg": ("engines/media/*", "compose/*"),
    "pydantic_settings": ("settings.py",),
    "prometheus_client": ("observe/*",),
    "typer": ("cli/*",),
    "rich": ("cli/*",),
    "httpx": ("cli/*",),
    "headwater.settings": ("compose/*", "roles.py", "settings.py", "cli/*"),
}
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "impl", "common"}


@pytest.mark.parametrize("library", HOMES)
def test_a_library_is_imported_in_its_home_only(library: str) -> None:
    strangers = {
        name_of(path)
        for path in modules()
        if any(reaches(name, library) for name in imports_of(path))
        and not any(fnmatch(name_of(path), home) for home in HOMES[library])
    }
    assert not strangers, f"{library} lives in {HOMES[library]}"


def test_names_say_what_is_inside() -> None:
    """A file called utils collects what nobody placed."""
    words = {word for path in modules() for word in path.relative_to(path.anchor).parts[-3:]}
    assert not FORBIDDEN_NAMES & {word.removesuffix(".py") for word in words}
