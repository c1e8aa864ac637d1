"""Engines of database servers: a few kept connections, each looked at before it is used again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import URL, Engine
from sqlalchemy.exc import NoSuchModuleError

from itopd.errors import DatabaseError


def pooled_engine(url: URL, arguments: Mapping[str, Any], *, without_driver: str, **options: Any) -> Engine:  # noqa: ANN401
    """Return an engine for the URL of a server; nothing is connected yet.

    ``arguments`` are the driver's, ``options`` SQLAlchemy's. Raises :class:`DatabaseError` when the driver is missing;
    ``without_driver`` says what to do then.
    """
    try:
        return sa.create_engine(
            url,
            connect_args=dict(arguments),
            hide_parameters=True,
            pool_size=5,
            max_overflow=10,
            pool_pre_ping=True,
            pool_recycle=3600,
            **options,
        )
    except (NoSuchModuleError, ModuleNotFoundError) as error:
        raise DatabaseError(f"the driver of the database URL is missing ({error}); {without_driver}") from None
