"""Object operations of ``golden/csv``: plain attributes and keys, deletions, their plans; with the rows they leave."""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from itopd.attributes import HistoryKind, Refused, bind
from itopd.behaviours import BEHAVIOURS, DELETIONS
from itopd.clock import FixedClock
from itopd.database import Database
from itopd.datamodel import Attribute, bundled_model
from itopd.objects import find
from itopd.rules import ITOP
from itopd.writing import Change, Create, Delete, Intent, LinkSet, NewEntry, NewPassword, Outcome, Update, Writer
from tests.golden.dbdiff import Json, compare, given_ids
from tests.golden.harness import Difference, Vector, check_equal, replays
from tests.golden.sample import golden_sample
from tests.support.dumps import dump_tables

ADMIN = "My first name My last name"
ADMIN_ID = 1

KINDS = {
    "Null not allowed": "null",
    "Wrong format": "wrong_format",
    "Value not allowed": "value_not_allowed",
    "String too long": "too_long",
    "Target object not found": "target_not_found",
}
"""Words of a recorded value check -> kind."""

_ISSUE = re.compile(r"\d+=>(.*?)(?=; \d+=>|\}, class = )", re.DOTALL)
_VALUE_ISSUE = re.compile(r"Unexpected value for attribute '.*' \((\w+)\) : (.*)", re.DOTALL)
_LINKED = re.compile(r"\w+: (.+) is already linked to \w+: (.+), duplicates are not allowed")

_GIVEN = re.compile(r"@given:\w+#\d+")
_MODES = {"manual": 1, "deleted": 2}
"""iTop's numbers for what becomes of an object of a deletion plan."""


def _is_plain(operation: Json) -> bool:
    return operation["op"] in {"create", "update", "delete", "plan"}


def _is_ours(vector: Vector) -> bool:
    data = vector.data
    if data["kind"] != "object" or not all(_is_plain(operation) for operation in data["run"]["ops"]):
        return False
    return all(_is_plain(operation) for step in data["given"] for operation in step.get("object", ()))


@replays("csv", _is_ours)
def replay(vector: Vector) -> None:
    """Do the operations on a copy of the sample, compare results and rows."""
    with tempfile.TemporaryDirectory() as folder, golden_sample(Path(folder)) as database:
        clock = FixedClock(datetime(2026, 11, 23, 20, 0, tzinfo=UTC))
        writer = Writer(database, clock, ITOP, behaviours=BEHAVIOURS, deletions=DELETIONS)
        start = dump_tables(database)
        for step in vector.data["given"]:
            outcomes = _given(database, writer, step)
            if any(outcome.status == "refused" for outcome in outcomes):
                raise Difference(f"the set-up was refused: {outcomes}")
        before = dump_tables(database)
        clock.advance(7)
        operations = vector.data["run"]["ops"]
        results = _run(database, writer, operations)
        expected = vector.data["expect"]
        ids = given_ids(database, start, before)
        for position, (operation, outcome, want) in enumerate(
            zip(operations, results, expected["results"], strict=True), start=1
        ):
            where = f"operation {position}"
            if operation["op"] == "plan":
                _compare_plan(where, outcome, want, ids)
            else:
                _compare_result(where, outcome, want, ids)
        compare(database, before, dump_tables(database), expected["db"], ids)


def _given(database: Database, writer: Writer, step: Json) -> list[Outcome]:
    if "object" in step:
        return _run(database, writer, step["object"])
    (name,) = step
    if name != "import":
        raise Difference(f"cannot set up '{name}'")
    lines = csv.reader(io.StringIO(step["import"]["csv"]))
    header, rows = next(lines), list(lines)
    cls = step["import"]["class"]
    return _run(database, writer, [{"op": "create", "class": cls, "fields": _fields(cls, header, row)} for row in rows])


def _fields(cls: str, header: list[str], row: list[str]) -> Json:
    """Return the cells of a row of an import; a column ``key->attribute`` names the target by that attribute."""
    fields: Json = {}
    for column, cell in zip(header, row, strict=True):
        code, _, remote = column.partition("->")
        target = bundled_model()[cls].attribute(code).target
        fields[code] = {"class": target, "match": {remote: cell}} if remote and cell else cell
    return fields


def _run(database: Database, writer: Writer, operations: list[Json]) -> list[Outcome]:
    """Do operations one by one under one change: each names its objects as they are at its turn."""
    change = Change(ADMIN, ADMIN_ID)
    outcomes: list[Outcome] = []
    for operation in operations:
        with database.write() as connection:
            intent = _intent(database, connection, operation)
            if operation["op"] == "plan" and isinstance(intent, Delete):
                outcomes.append(writer.plan(connection, intent, change))
            else:
                outcomes += writer.write(connection, [intent], change)
    return outcomes


def _intent(database: Database, connection: sa.Connection, operation: Json) -> Intent:
    cls = operation.get("class") or operation["object"]["class"]
    if operation["op"] in {"delete", "plan"}:
        return Delete(cls, _object(database, connection, operation["object"]))
    id_ = _object(database, connection, operation["object"]) if operation["op"] == "update" else 0
    values = {
        code: _links(database, connection, database.model[cls].attribute(code), id_, field)
        if isinstance(field, dict) and not field.keys() - {"add", "remove", "modify"}
        else _value(database, connection, cls, code, field)
        for code, field in operation["fields"].items()
    }
    return Update(cls, id_, values) if id_ else Create(cls, values)


def _links(database: Database, connection: sa.Connection, link_set: Attribute, host: int, given: Json) -> LinkSet:
    cls, me = link_set.linked_class or "", link_set.ext_key_to_me or ""

    def values(fields: Json) -> dict[str, object]:
        return {code: _value(database, connection, cls, code, field) for code, field in fields.items()}

    def link(fields: Json) -> int:
        wanted = {me: host, **values(fields)}
        (ids,) = find(database, connection, cls, list(wanted), [list(wanted.values())])
        if len(ids) != 1:
            raise Difference(f"{len(ids)} links of {host} are {fields}")
        return ids[0]

    return LinkSet(
        add=tuple(values(fields) for fields in given.get("add", ())),
        remove=tuple(link(fields) for fields in given.get("remove", ())),
        modify={link(one["where"]): values(one["set"]) for one in given.get("modify", ())},
    )


def _value(database: Database, connection: sa.Connection, cls: str, code: str, field: Any) -> object:
    if isinstance(field, dict) and "match" in field:
        return _object(database, connection, field)
    if isinstance(field, list):
        return tuple(sorted(field))
    kind = bind(database.model[cls].attribute(code))
    if kind.history is HistoryKind.CASE_LOG:
        return NewEntry(str(field))
    if kind.history is HistoryKind.ONE_WAY_PASSWORD:
        return NewPassword(str(field))
    if field is None:
        return kind.null
    try:
        return kind.parse(str(field), ITOP)
    except Refused:
        return field  # no text of this attribute: the checks of the write say so


def _object(database: Database, connection: sa.Connection, named: Json) -> int:
    cls, match = named["class"], named["match"]
    row = [_value(database, connection, cls, code, field) for code, field in match.items()]
    (ids,) = find(database, connection, cls, list(match), [row])
    if len(ids) != 1:
        raise Difference(f"{len(ids)} objects are {named}")
    return ids[0]


def _compare_plan(where: str, outcome: Outcome, want: Json, ids: Mapping[str, int]) -> None:
    effects = outcome.effects
    check_equal(f"{where}: can delete", outcome.status == "deleted", want["can_delete"])
    check_equal(f"{where}: issues", [issue.text for issue in outcome.issues], _known(want["issues"], ids))
    gone = [(one.cls, one.name, _MODES[one.kind]) for one in effects if one.kind != "reset"]
    check_equal(f"{where}: the object itself", [(one["class"], one["mode"]) for one in want["deletes"] if one["root"]],
                [(outcome.cls, _MODES["deleted"])])  # fmt: skip
    recorded = [(one["class"], one["name"], one["mode"]) for one in want["deletes"] if not one["root"]]
    check_equal(f"{where}: what goes with it", gone, recorded)
    reset = [(one.cls, one.name, dict(one.values)) for one in effects if one.kind == "reset"]
    updates = [(one["class"], one["name"], one["values"]) for one in want["updates"]]
    check_equal(f"{where}: what is reset", reset, updates)


def _known(texts: list[str], ids: Mapping[str, int]) -> list[str]:
    """Return texts with ids for the placeholders of objects that the set-up made."""
    return [_GIVEN.sub(lambda place: str(ids.get(place[0], place[0])), text) for text in texts]


def _compare_result(where: str, outcome: Outcome, want: Json, ids: Mapping[str, int]) -> None:
    check_equal(f"{where}: accepted", outcome.status != "refused", want["ok"])
    if not want["ok"] and want["error"] == "DeleteException":
        text = ", ".join(issue.text for issue in outcome.issues)
        check_equal(f"{where}: issues", [text], _known([want["message"].partition("issues = ")[2]], ids))
    elif not want["ok"]:
        recorded = _ISSUE.findall(want["message"])
        check_equal(f"{where}: number of issues", len(outcome.issues), len(recorded))
        for issue, kind in zip(outcome.issues, map(_kind, recorded), strict=True):
            if kind is not None:
                check_equal(f"{where}: issue", _brief(issue.code, issue.kind), kind)
        text = " ".join(issue.text for issue in outcome.issues)
        for linked in filter(None, map(_LINKED.match, recorded)):
            for name in linked.groups():
                if name not in text:
                    raise Difference(f"{where}: {text!r} does not name {name!r}")
    check_equal(f"{where}: number of warnings", len(outcome.warnings), len(want.get("warnings", ())))


def _kind(text: str) -> str | None:
    """Return attribute and kind of a recorded issue, ``None`` for a rule of its class, whose wording is free."""
    value = _VALUE_ISSUE.match(text)
    if value is None:
        return "not_unique" if _LINKED.match(text) else None
    return _brief(value[1], next((kind for words, kind in KINDS.items() if value[2].startswith(words)), value[2]))


def _brief(code: str | None, kind: str) -> str:
    return f"{code}: {kind}" if code else kind
