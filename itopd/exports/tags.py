"""The labels of tags, which are objects of the database."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from itopd.database import Database

TAG_CLASS = "TagSetFieldData"


def tag_labels(database: Database, connection: sa.Connection, cls: str, code: str) -> Mapping[str, str]:
    """Return the label of every tag that a tag set may hold, by its code."""
    origin = database.model[cls].attributes[code].origin
    columns = database.table(TAG_CLASS).c
    attributes = database.model[TAG_CLASS].attributes
    column = {name: columns[attributes[name].sql] for name in ("code", "label", "obj_class", "obj_attcode")}
    query = sa.select(column["code"], column["label"]).where(
        column["obj_class"] == origin, column["obj_attcode"] == code
    )
    return {row[0]: row[1] for row in connection.execute(query)}
