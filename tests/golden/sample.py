"""The sample that vectors are replayed on: on the engine that ``GOLDEN_ENGINE`` names, SQLite without it."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from itopd.database import Database
from tests.golden.harness import folder_from_environment
from tests.support.engines import sample_database

_STATEMENT = re.compile(r"(?:'(?:[^']|'')*'|[^;'])+")
_INTO = re.compile(r"INSERT INTO (\w+) \(([\w, ]+)\)")
_BYTES = re.compile(r"\bX'([0-9A-F]*)'")


def golden_engine() -> str:
    """Return the name of the engine to replay on."""
    return os.environ.get("GOLDEN_ENGINE") or "sqlite"


def golden_sample(folder: Path) -> AbstractContextManager[Database]:
    """Return the sample, in ``folder`` where it is a file."""
    return sample_database(golden_engine(), folder)


def run_step(connection: sa.Connection, step: dict[str, Any]) -> None:
    """Execute the statements of a vector's ``given``, or those of the fixture that it names."""
    for statement in step["sql"] if "sql" in step else _fixture(step["fixture"]):
        written = statement
        if connection.dialect.name == "postgresql":
            written = _INTO.sub(lambda found: f"INSERT INTO {found[1]} ({_quoted(found[2].split(', '))})", written)
            written = _BYTES.sub(r"'\\x\1'", written)
        is_formatted = "format" in connection.dialect.paramstyle
        connection.exec_driver_sql(written.replace("%", "%%") if is_formatted else written)


def _quoted(names: Iterable[str]) -> str:
    return ", ".join(f'"{name}"' for name in names)


def _fixture(name: str) -> list[str]:
    folder = folder_from_environment()
    path = next(p for p in (folder / "export" / "fixtures", folder / "fixtures") if p.is_dir()) / f"{name}.sql"
    return [s.strip() for s in _STATEMENT.findall(path.read_text(encoding="utf-8")) if s.strip()]
