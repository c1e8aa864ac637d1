"""The functions that OQL calls on PostgreSQL (``functions.sql``), made beside ``itop_key`` with the tables."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Final

_STATEMENT: Final = re.compile(r"CREATE OR REPLACE FUNCTION (\w+)\(.*?AS \$\$(.*?)\$\$;", re.DOTALL)


@dataclass(frozen=True, slots=True)
class SqlFunction:
    """A function of the database."""

    statement: str
    """Makes it, or replaces an older one."""
    body: str
    """What PostgreSQL keeps as its source (``pg_proc.prosrc``), to tell whether it is this release's."""


@cache
def oql_functions() -> Mapping[str, SqlFunction]:
    """Return the functions by name, in an order in which they can be made."""
    text = files(__package__).joinpath("functions.sql").read_text(encoding="utf-8")
    found = {match[1]: SqlFunction(match[0], match[2]) for match in _STATEMENT.finditer(text)}
    return MappingProxyType(found)
