"""Statements of SQLAlchemy Core as PostgreSQL's text and values; what differs from SQLite is here.

Sums     of whole numbers are whole numbers (PostgreSQL would answer with decimals).
Text     sorts and compares by its bytes (COLLATE "C"), whatever the database's language.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Integer, String, Text
from sqlalchemy.dialects.postgresql.asyncpg import PGCompiler_asyncpg, PGDialect_asyncpg
from sqlalchemy.dialects.postgresql.base import PGTypeCompiler
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.base import Executable
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import Function

from headwater.engines.database.port import Parameters

KNOWN = 512  # with parameters of their own: built at import, so there are only so many


class Compiler(PGCompiler_asyncpg):
    def visit_sum_func(self, fn: Function[Any], **kw: Any) -> str:
        text = f"sum{self.function_argspec(fn, **kw)}"
        return f"CAST({text} AS BIGINT)" if isinstance(fn.type, Integer) else text


class TypeCompiler(PGTypeCompiler):
    def visit_VARCHAR(self, type_: String, **kw: Any) -> str:  # noqa: N802 (SQLAlchemy's name)
        return super().visit_VARCHAR(type_, **kw) + ' COLLATE "C"'

    def visit_TEXT(self, type_: Text, **kw: Any) -> str:  # noqa: N802
        return super().visit_TEXT(type_, **kw) + ' COLLATE "C"'


def declare_by(dialect: Dialect) -> None:
    """Let *dialect* make tables with our types."""
    dialect.type_compiler_instance = TypeCompiler(dialect)


_dialect: Dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
_dialect.statement_compiler = Compiler


class Prepared:
    """A statement as text, and the order in which its values go."""

    def __init__(self, statement: Executable) -> None:
        compiled = statement.compile(dialect=_dialect)  # type: ignore[attr-defined]
        assert isinstance(compiled, SQLCompiler)
        self._compiled = compiled
        self._text = str(compiled)
        self._order = compiled.positiontup or ()
        self._is_whole = not compiled.post_compile_params
        self._constants = {
            name: bind.effective_value
            for bind, name in compiled.bind_names.items()
            if not bind.required
        }

    def with_values(self, parameters: Parameters) -> tuple[str, Sequence[Any]]:
        """Return the text and its values; a list makes the text as long as it is."""
        if self._is_whole:
            every = {**self._constants, **parameters}
            return self._text, [every[name] for name in self._order]
        state = self._compiled.construct_expanded_state(dict(parameters))
        return state.statement, list(state.positional_parameters)


_known = lru_cache(maxsize=KNOWN)(Prepared)


def asked(statement: Executable, parameters: Parameters | None) -> tuple[str, Sequence[Any]]:
    """Return *statement* as text and values."""
    if parameters is None:
        return Prepared(statement).with_values({})
    return _known(statement).with_values(parameters)
