"""Statements with parameters: SQLAlchemy writes each of them once, then SQLite alone runs it.

What SQLAlchemy does around every execution takes several times what SQLite does in it.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, TypeVar

from sqlalchemy import Delete, Insert, Select, Update
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler

from headwater.engines.database.port import Parameters

K = TypeVar("K")
STATEMENTS = 512  # built at import, so there are only so many
_LATER = "__[POSTCOMPILE_"  # a list whose length only its values tell


class Answer:
    """As much of SQLAlchemy's result as we use."""

    def __init__(self, cursor: sqlite3.Cursor, statement: "Prepared") -> None:
        self._cursor, self._statement = cursor, statement

    @property
    def rowcount(self) -> int:
        return self._cursor.rowcount

    def keys(self) -> Sequence[str]:
        return self._statement.names

    def first(self) -> Sequence[Any] | None:
        row = self._cursor.fetchone()
        return None if row is None else self._statement.convert(row)

    def __iter__(self) -> Iterator[Sequence[Any]]:
        return map(self._statement.convert, self._cursor)

    def close(self) -> None:
        self._cursor.close()


class Prepared:
    def __init__(
        self, statement: Select[Any] | Insert | Update | Delete, compiled: SQLCompiler
    ) -> None:
        self._text = str(compiled)
        self._order = compiled.positiontup or ()
        self._constants = {
            name: bind.effective_value
            for bind, name in compiled.bind_names.items()
            if not bind.required  # without one of those nothing runs
        }
        columns = tuple(statement.selected_columns) if isinstance(statement, Select) else ()
        self.names = [column.key or "" for column in columns]
        dialect = compiled.dialect
        self._before = _present(
            (name, bind.type.dialect_impl(dialect).bind_processor(dialect))
            for bind, name in compiled.bind_names.items()
        )
        self._after = _present(
            (place, column.type.dialect_impl(dialect).result_processor(dialect, None))
            for place, column in enumerate(columns)
        )

    def execute(self, raw: sqlite3.Connection, parameters: Parameters) -> Answer:
        every = {**self._constants, **parameters}
        for name, process in self._before:
            every[name] = process(every[name])
        return Answer(raw.execute(self._text, [every[name] for name in self._order]), self)

    def convert(self, row: Sequence[Any]) -> Sequence[Any]:
        """Return *row* in Python's types, where SQLite has others."""
        if not self._after:
            return row
        values = list(row)
        for place, process in self._after:
            values[place] = process(values[place])
        return values


def _present(
    found: Iterable[tuple[K, Callable[[Any], Any] | None]],
) -> list[tuple[K, Callable[[Any], Any]]]:
    return [(key, process) for key, process in found if process is not None]


@lru_cache(maxsize=STATEMENTS)
def prepared(statement: Executable, dialect: Dialect) -> Prepared | None:
    """Return *statement* ready to run, None if only SQLAlchemy can run it."""
    if not isinstance(statement, Select | Insert | Update | Delete):
        return None
    compiled = statement.compile(dialect=dialect)
    if not isinstance(compiled, SQLCompiler) or _LATER in str(compiled) or compiled.returning:
        return None
    return Prepared(statement, compiled)
