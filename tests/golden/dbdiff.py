"""Compares what a run changed in the database with the ``db`` part of a vector (``golden/csv/README.md``).

The placeholders of new ids are renamed to real ids first: within a hierarchy the n-th new id, for change operations
the n-th operation of its object, because their order counts within an object only. Everything else is then compared
value by value, ``{now}`` and its like by their form.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from typing import Any

from itopd.database import Database
from tests.golden.harness import Difference
from tests.support.dumps import Tables, diff_dumps

Json = dict[str, Any]

_NEW_ID = re.compile(r"@(?:given:)?\w+#\d+")
_PLACEHOLDER = re.compile(r"\{(now|today|duration|bcrypt|mail|sql|id|app_root_url)\}|" + _NEW_ID.pattern)
_FORMS = {
    "now": r"(?:\d{4}-\d\d-\d\d \d\d:\d\d:\d\d|\d{9,11})",
    "today": r"\d{4}-\d\d-\d\d",
    "duration": r"[0-5]?\d",
    "bcrypt": r"\$2[aby]\$\d\d\$[./A-Za-z0-9]{53}",
    "mail": r"(?s:.*)",
    "sql": r"(?s:.*)",
    "id": r"-?\d+",
    "app_root_url": r"(?s:.*)",
}
_NOT_COMPARED = frozenset({"priv_db_properties"})
_OPERATIONS = "CMDBChangeOp"
_OPERATION_TABLE = "priv_changeop"


def given_ids(database: Database, start: Tables, given: Tables) -> dict[str, int]:
    """Return the placeholders ``@given:Root#n`` of the objects that the set-up made."""
    return {
        f"@given:{root}#{position}": row_id
        for root, ids in _new_ids(database, start, given).items()
        for position, row_id in enumerate(ids, start=1)
    }


def compare(database: Database, before: Tables, after: Tables, expected: Json, ids: Mapping[str, int]) -> None:
    """Raise :class:`Difference` with the first thing in which the change from ``before`` to ``after`` differs.

    ``ids`` resolves the placeholders of :func:`given_ids`.
    """
    actual = {table: d for table, d in diff_dumps(before, after).items() if table not in _NOT_COMPARED}
    keys = {cls.table.lower(): cls.key_column for cls in database.model.values() if cls.table}
    known = dict(ids)
    known.update(_new_placeholders(database, before, after, expected, known))
    inserted = {table: d.inserted for table, d in actual.items() if d.inserted}
    deleted = {table: d.deleted for table, d in actual.items() if d.deleted}
    updated = {table: d.updated for table, d in actual.items() if d.updated}
    _compare_rows("inserted", inserted, expected.get("insert", {}), keys, known)
    _compare_rows("deleted", deleted, expected.get("delete", {}), keys, known)
    _compare_updates(updated, expected.get("update", {}), known)


def matches(expected: object, actual: object, ids: Mapping[str, int]) -> bool:
    """Return whether a stored value is what a vector says, placeholders included."""
    if isinstance(expected, dict):
        return bool(actual == base64.b64decode(expected["base64"]))
    if isinstance(actual, bytes):
        actual = actual.decode("utf-8", "surrogateescape")
    if expected is None or actual is None:
        return expected is actual
    text = str(expected)
    if "{" not in text and "@" not in text:
        return text == str(actual)
    pattern, end = "", 0
    for place in _PLACEHOLDER.finditer(text):
        pattern += re.escape(text[end : place.start()])
        pattern += _FORMS[place[1]] if place[1] else re.escape(str(ids.get(place[0], place[0])))
        end = place.end()
    return re.fullmatch(pattern + re.escape(text[end:]), str(actual)) is not None


def _new_ids(database: Database, before: Tables, after: Tables) -> dict[str, list[int]]:
    """Return the new ids of each hierarchy, ascending."""
    found: dict[str, list[int]] = {}
    for cls in database.model.values():
        if cls.table and cls.root == cls.name:
            table = cls.table.lower()
            found[cls.name] = sorted(after.get(table, {}).keys() - before.get(table, {}).keys())
    return found


def _new_placeholders(
    database: Database, before: Tables, after: Tables, expected: Json, ids: Mapping[str, int]
) -> dict[str, int]:
    tokens: dict[str, dict[int, str]] = {}
    for row in (row for rows in expected.get("insert", {}).values() for row in rows):
        for value in row.values():
            for token in _NEW_ID.findall(value) if isinstance(value, str) else ():
                root, number = token[1:].split("#")
                if ":" not in root:
                    tokens.setdefault(root, {})[int(number)] = token
    new = _new_ids(database, before, after)
    named: dict[str, int] = {}
    for root, numbered in tokens.items():
        if root != _OPERATIONS:
            named.update(zip((numbered[n] for n in sorted(numbered)), new.get(root, ()), strict=False))
    named.update(_operations(expected, after.get(_OPERATION_TABLE, {}), new[_OPERATIONS], {**ids, **named}))
    return named


def _operations(expected: Json, rows: Mapping[int, Json], new: Iterable[int], ids: Mapping[str, int]) -> dict[str, int]:
    """Pair the operations of each object in their order."""
    recorded = expected.get("insert", {}).get(_OPERATION_TABLE, ())
    wanted = sorted(
        (str(row["objclass"]), str(ids.get(row["objkey"], row["objkey"])), int(row["id"].split("#")[1]), row["id"])
        for row in recorded
    )
    found = sorted((str(rows[id_]["objclass"]), str(rows[id_]["objkey"]), id_) for id_ in new)
    of_object: dict[tuple[str, str], list[int]] = {}
    for cls, key, id_ in found:
        of_object.setdefault((cls, key), []).append(id_)
    return {token: queue.pop(0) for cls, key, _, token in wanted if (queue := of_object.get((cls, key)))}


def _compare_rows(
    what: str,
    actual: Mapping[str, Mapping[int, Json]],
    expected: Mapping[str, list[Json]],
    keys: Mapping[str, str],
    ids: Mapping[str, int],
) -> None:
    for table in sorted(actual.keys() | {name.lower() for name in expected}):
        rows = dict(actual.get(table, {}))
        wanted = next((rows for name, rows in expected.items() if name.lower() == table), [])
        for want in wanted:
            key = keys.get(table, "id")
            row_id = next((id_ for id_ in rows if matches(want[key], id_, ids)), None)
            if row_id is None:
                raise Difference(f"{table}: row {want} was not {what}; {what} were {_few(rows)}")
            row = {key: row_id, **rows.pop(row_id)}
            _compare_row(f"{table} {row_id} ({what})", row, want, ids)
        if rows:
            raise Difference(f"{table}: {what}, but not recorded: {_few(rows)}")


def _compare_row(where: str, row: Json, want: Json, ids: Mapping[str, int]) -> None:
    if row.keys() != want.keys():
        raise Difference(f"{where}: columns {sorted(row.keys() ^ want.keys())} are on one side only")
    for column, value in want.items():
        if not matches(value, row[column], ids):
            raise Difference(f"{where}: {column} is {row[column]!r}, recorded {_resolved(value, ids)!r}")


def _compare_updates(
    actual: Mapping[str, Mapping[int, Mapping[str, tuple[Any, Any]]]],
    expected: Mapping[str, list[Json]],
    ids: Mapping[str, int],
) -> None:
    for table in sorted(actual.keys() | {name.lower() for name in expected}):
        rows = dict(actual.get(table, {}))
        for want in next((rows for name, rows in expected.items() if name.lower() == table), []):
            (key,) = want["key"].values()
            row_id = next((id_ for id_ in rows if matches(key, id_, ids)), None)
            if row_id is None:
                raise Difference(f"{table}: row {want} was not updated; updated were {_few(rows)}")
            columns = rows.pop(row_id)
            for at, when in enumerate(("before", "after")):
                side = {column: values[at] for column, values in columns.items()}
                _compare_row(f"{table} {row_id} {when}", side, want[when], ids)
        if rows:
            raise Difference(f"{table}: updated, but not recorded: {_few(rows)}")


def _resolved(value: object, ids: Mapping[str, int]) -> object:
    return ids.get(value, value) if isinstance(value, str) else value


def _few(rows: Mapping[int, object]) -> str:
    return "; ".join(f"{key}: {row}" for key, row in list(rows.items())[:3])
