"""Texts compared without the difference of capitals, in the database."""

import sqlite3
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement


class ContainsFolded(FunctionElement[bool]):
    """Whether the first text contains the second; capitals make no difference.

    SQLite knows the capitals of ASCII only, and is given Python's; PostgreSQL knows those of the database's language.
    """

    name = "contains_folded"
    type = sa.Boolean()
    inherit_cache = True


@compiles(ContainsFolded, "sqlite")
def _in_sqlite(element: ContainsFolded, compiler: SQLCompiler, **options: Any) -> str:
    text, part = (compiler.process(clause, **options) for clause in element.clauses)
    return f"instr(casefold({text}), casefold({part})) > 0"


@compiles(ContainsFolded, "postgresql")
def _in_postgresql(element: ContainsFolded, compiler: SQLCompiler, **options: Any) -> str:
    text, part = (compiler.process(clause, **options) for clause in element.clauses)
    # Else by its column: that compares bytes, and knows capitals of ASCII.
    return f'strpos(lower({text} COLLATE "default"), lower({part} COLLATE "default")) > 0'


def teach_sqlite(connection: sqlite3.Connection) -> None:
    """Let a connection know the capitals of all scripts."""
    connection.create_function("casefold", 1, _casefold, deterministic=True)


def _casefold(text: object) -> str | None:
    return text.casefold() if isinstance(text, str) else None
