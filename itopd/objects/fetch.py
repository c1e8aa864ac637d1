"""Objects by id, their final classes and their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from itopd.attributes import bind
from itopd.database import Database
from itopd.datamodel import Class
from itopd.errors import ModelError
from itopd.objects.rows import FINAL_CLASS, ID, chunks, is_stored, reading, stored_codes

CHUNK = 1000
"""Ids or rows looked up with one statement."""

_PLACE = re.compile(r"%([0-9]+)\$s")


@dataclass(frozen=True, slots=True)
class Record:
    """One object as read."""

    id: int
    cls: str
    """Its final class."""
    values: dict[str, Any]
    """Value by attribute code, as ``itopd.attributes`` defines values."""


def fetch(
    database: Database,
    connection: sa.Connection,
    cls: str,
    ids: Iterable[int],
    codes: Iterable[str] | None = None,
    *,
    for_update: bool = False,
) -> dict[int, Record]:
    """Return the objects of a class or its subclasses that have these ids; an id without object is absent.

    ``codes`` may name stored attributes of the class or of a subclass (objects whose final class lacks one are read
    without it), external fields, ``friendlyname``, ``id`` and ``finalclass``; ``None`` means all stored attributes of
    each object's final class. One statement per 1,000 ids where the class tells all the tables, else one more per
    final class; keys followed by external fields and names cost one per target class. ``for_update`` reads what is
    committed now and locks it until the transaction ends.
    """
    model = database.model
    wanted = model.get_class(cls)
    found: dict[int, Record] = {}
    codes = None if codes is None else tuple(dict.fromkeys(codes))
    for chunk in chunks(dict.fromkeys(ids), CHUNK):
        if codes is not None and all(code == ID or code in wanted.attributes for code in codes):
            found.update(_read(database, connection, wanted, chunk, codes, for_update))
            continue
        by_class: dict[str, list[int]] = defaultdict(list)
        for id_, name in final_classes(database, connection, cls, chunk).items():
            by_class[name].append(id_)
        for name, of_class in by_class.items():
            final = model[name]
            own = stored_codes(final) if codes is None else [c for c in codes if c == ID or c in final.attributes]
            found.update(_read(database, connection, final, of_class, own, for_update))
    return found


def final_classes(
    database: Database, connection: sa.Connection, cls: str, ids: Iterable[int], *, keep: bool = False
) -> dict[int, str]:
    """Return the final class of each id that is an object of ``cls`` or a subclass; one statement per 1,000 ids.

    ``keep``: nobody can delete these objects until the transaction ends.
    """
    plan = reading(database, database.model.get_class(cls), ())
    select = plan.select.with_for_update(read=True) if keep else plan.select
    found: dict[int, str] = {}
    for chunk in chunks(dict.fromkeys(ids), CHUNK):
        for row in connection.execute(select.where(plan.key.in_(chunk))).all():
            found[row[0]] = row[1] if plan.final_class else cls
    return found


def friendly_names(database: Database, connection: sa.Connection, cls: str, ids: Iterable[int]) -> dict[int, str]:
    """Return the friendly names of the objects of a class that have these ids (``spec/objects.md`` §2)."""
    model = database.model
    names: dict[int, str] = {}
    by_class: dict[str, list[int]] = defaultdict(list)
    for id_, name in final_classes(database, connection, cls, ids).items():
        by_class[name].append(id_)
    for name, of_class in by_class.items():
        final = model[name]
        records = fetch(database, connection, name, of_class, final.name_attributes)
        for id_, record in records.items():
            names[id_] = friendly_name(final, record.values)
    return names


def friendly_name(cls: Class, values: Mapping[str, Any]) -> str:
    """Return the friendly name made of the values of the class's name attributes."""
    texts = [bind(cls.attributes[code]).to_text(values[code]) for code in cls.name_attributes]
    return _PLACE.sub(lambda place: texts[int(place.group(1)) - 1], cls.name_format)


def _read(
    database: Database,
    connection: sa.Connection,
    cls: Class,
    ids: Sequence[int],
    codes: Sequence[str],
    for_update: bool,
) -> dict[int, Record]:
    """Read attributes that the class has, stored or computed, of at most one chunk of ids."""
    stored = [code for code in codes if code != ID and is_stored(cls, code)]
    computed = [code for code in codes if code not in {ID, FINAL_CLASS} and not is_stored(cls, code)]
    keys = dict.fromkeys(key for code in computed if (key := cls.attributes[code].key))
    plan = reading(database, cls, dict.fromkeys([*stored, *keys]))
    records: dict[int, Record] = {}
    select = plan.select.where(plan.key.in_(ids))
    for row in connection.execute(select.with_for_update() if for_update else select).all():
        values = plan.decode(row)
        record = Record(row[0], row[1] if plan.final_class else cls.name, values)
        if ID in codes:
            values[ID] = record.id
        if FINAL_CLASS in codes:
            values[FINAL_CLASS] = record.cls
        records[record.id] = record
    if computed:
        _compute(database, connection, cls, records, computed)
        for record in records.values():
            for key in keys:
                if key not in codes:
                    del record.values[key]
    return records


def _compute(
    database: Database, connection: sa.Connection, cls: Class, records: dict[int, Record], codes: Sequence[str]
) -> None:
    """Add external fields and friendly names to records that hold the keys they go through."""
    through: dict[str, list[str]] = defaultdict(list)
    for code in codes:
        attribute = cls.attributes[code]
        if attribute.is_external_field and attribute.key and attribute.target_attcode:
            through[attribute.key].append(code)
        elif code == "friendlyname":
            names = friendly_names(database, connection, cls.name, records)
            for record in records.values():
                record.values[code] = names[record.id]
        else:
            raise ModelError(
                f"attribute {code} of class {cls.name} is computed and cannot be read this way: use a query"
            )
    for key, fields in through.items():
        target = cls.attributes[key].target or ""
        remote = {code: cls.attributes[code].target_attcode or "" for code in fields}
        ids = {record.values[key] for record in records.values()} - {0}
        targets = fetch(database, connection, target, ids, remote.values())
        for record in records.values():
            there = targets.get(record.values[key])
            for code in fields:
                far = database.model[target].attributes[remote[code]]
                record.values[code] = bind(far).null if there is None else there.values[remote[code]]
