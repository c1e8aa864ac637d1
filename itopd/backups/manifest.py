"""What a backup says of itself: the last member of its archive, so one that was cut off has none."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from itopd.database import Database
from itopd.database.ddl import mysql_column_type
from itopd.errors import InputError

MANIFEST: Final = "itopd-manifest.json"
SQL_DUMP: Final = "itop-dump.sql"
"""iTop's own name of it."""
SQLITE_DUMP: Final = "itop.db"
FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class Content:
    """One member of an archive as it should be."""

    size: int
    """Bytes."""
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup is of, and what its archive holds."""

    created: datetime
    """UTC: when the dump began."""
    itopd: str
    """Version that made it."""
    engine: str
    """``sqlite``, ``mysql`` or ``postgresql``."""
    server: str
    """Version of the server."""
    database: str
    prefix: str
    """``db_subname``."""
    schema: str
    """Of PostgreSQL, in which the tables are; empty elsewhere."""
    layout: str
    """:func:`layout_of` the data model."""
    dump: str
    """Name of the member that holds the database."""
    members: Mapping[str, Content]

    def text(self) -> str:
        """Return it as JSON."""
        values = asdict(self) | {"format": FORMAT, "created": self.created.isoformat()}
        return json.dumps(values, indent=1, sort_keys=True) + "\n"


def read_manifest(text: bytes, file: object) -> Manifest:
    """Read the JSON of :meth:`Manifest.text`; :class:`InputError` naming the archive ``file`` where it is none."""
    try:
        values: dict[str, Any] = json.loads(text)
        made_by = values.pop("format")
        if made_by != FORMAT:
            raise InputError(f"{file} is a backup of format {made_by}, this itopd knows {FORMAT}: use the other itopd")
        values["created"] = datetime.fromisoformat(values["created"])
        values["members"] = {name: Content(**content) for name, content in values["members"].items()}
        return Manifest(**values)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file}: its {MANIFEST} cannot be read ({error!r}): take another backup") from error


def layout_of(database: Database) -> str:
    """Return a digest of all tables and columns of the data model: equal ones can read each other's backups."""
    lines = [
        f"{definition.name}.{definition.key_column}:"
        + ",".join(sorted(f"{column.name} {mysql_column_type(column)}" for column in definition.columns))
        for definition in database.definitions()
    ]
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
