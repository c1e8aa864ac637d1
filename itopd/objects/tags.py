"""The tags that tag sets may hold: they are objects of the database."""

from __future__ import annotations

from collections.abc import Mapping

import sqlalchemy as sa

from itopd.database import Database
from itopd.datamodel import Attribute

TAG_CLASS = "TagSetFieldData"
"""Parent of the classes of tags; all tags lie in its table."""


def tag_labels(database: Database, connection: sa.Connection, tag_set: Attribute) -> Mapping[str, str]:
    """Return the label of every tag that a tag set may hold, by its code; one statement."""
    columns = database.table(TAG_CLASS).c
    attributes = database.model[TAG_CLASS].attributes
    column = {name: columns[attributes[name].sql] for name in ("code", "label", "obj_class", "obj_attcode")}
    query = sa.select(column["code"], column["label"]).where(
        column["obj_class"] == tag_set.origin, column["obj_attcode"] == tag_set.code
    )
    return {row[0]: row[1] for row in connection.execute(query)}
