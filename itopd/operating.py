"""Single objects as an operator handles them: look, create, update, delete, history (``itopd object``).

Values are JSON: texts as an import would read them, numbers, ``null``, a list for a set. A key may be an id, a name, or
an object like ``{"name": "Demo"}`` that says which one. Every function acts as the account of its context.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa

from itopd.access import Action
from itopd.attributes import AttributeType, HistoryKind, Refused, bind
from itopd.datamodel import Attribute, Class
from itopd.errors import AccessDenied, InputError, ItopdError, MissingFile
from itopd.objects import fetch, final_classes, find, friendly_names, is_filtered, seen
from itopd.objects.journal import Operation, journal
from itopd.service import Context
from itopd.writing import Change, Create, Delete, Intent, LinkSet, NewEntry, Outcome, Update

Json = Any
"""What ``json.loads`` returns."""

_SECRET: Final = frozenset({HistoryKind.ONE_WAY_PASSWORD, HistoryKind.ENCRYPTED})
_FRIENDLY_NAME: Final = "friendlyname"


@dataclass(frozen=True, slots=True)
class ObjectView:
    """One object as shown."""

    cls: str
    """Its final class."""
    id: int
    name: str
    fields: Mapping[str, Json]
    """Attribute code -> value; of passwords only whether there is one."""
    targets: Mapping[str, str]
    """Code of a key -> friendly name of what it points to."""


def look(context: Context, cls: str, named: Json) -> ObjectView:
    """Return an object with all its stored attributes.

    Raises :class:`AccessDenied` when the account may not read the class, :class:`MissingFile` when it sees no such
    object, :class:`InputError` when several are meant.
    """
    _require(context, Action.READ, cls)
    with context.database.read() as connection:
        id_ = _one(context, connection, cls, named)
        (record,) = fetch(context.database, connection, cls, [id_]).values()
        final = context.database.model[record.cls]
        fields = {code: _shown(final.attributes[code], value) for code, value in record.values.items()}
        targets: dict[str, str] = {}
        for code, attribute in final.attributes.items():
            if attribute.is_external_key and attribute.target and record.values.get(code):
                target = record.values[code]
                names = friendly_names(context.database, connection, attribute.target, [target])
                targets[code] = names.get(target, "")
        name = friendly_names(context.database, connection, cls, [id_])[id_]
    return ObjectView(record.cls, id_, name, fields, targets)


def create(context: Context, cls: str, data: Mapping[str, Json], *, simulate: bool = False) -> Outcome:
    """Create an object. Raises :class:`InputError` naming every value that cannot be read."""
    with context.database.read() as connection:
        values = _values(context, connection, context.database.model.get_class(cls), data)
    return _write(context, Create(cls, values), simulate=simulate)


def update(context: Context, cls: str, named: Json, data: Mapping[str, Json], *, simulate: bool = False) -> Outcome:
    """Update an object. Raises as :func:`look` and :func:`create`."""
    with context.database.read() as connection:
        id_ = _one(context, connection, cls, named)
        final = final_classes(context.database, connection, cls, [id_])[id_]
        values = _values(context, connection, context.database.model[final], data)
    return _write(context, Update(cls, id_, values), simulate=simulate)


def delete(context: Context, cls: str, named: Json, *, simulate: bool = False) -> Outcome:
    """Delete an object with all that has to go with it; the outcome tells what that is. Raises as :func:`look`."""
    with context.database.read() as connection:
        id_ = _one(context, connection, cls, named)
    return _write(context, Delete(cls, id_), simulate=simulate)


def history(context: Context, cls: str, named: Json, limit: int) -> list[Operation]:
    """Return the newest operations on an object, newest first; of a deleted one by its id. Raises as :func:`look`."""
    _require(context, Action.READ, cls)
    with context.database.read() as connection:
        declared = context.database.model.get_class(cls)
        gone = isinstance(named, int) and named not in final_classes(context.database, connection, cls, [named])
        if gone and not is_filtered(context.database, cls, context.reader):  # from whom it was hidden is forgotten
            return journal(context.database, connection, context.database.model[declared.root], named, limit)
        id_ = _one(context, connection, cls, named)
        final = context.database.model[final_classes(context.database, connection, cls, [id_])[id_]]
        return journal(context.database, connection, final, id_, limit)


def _require(context: Context, action: Action, cls: str) -> None:
    if not context.rights.allows(action, cls):
        raise AccessDenied(f"'{context.account.login}' may not {action} objects of class {cls}")


def _write(context: Context, intent: Intent, *, simulate: bool) -> Outcome:
    """Write one intent; a simulation does the same and takes it back."""
    account = context.account

    def work(connection: sa.Connection) -> Outcome:
        change = Change(f"{account.friendly_name} (itopd object)", account.user_id, author=account.friendly_name)
        (outcome,) = context.writer.write(connection, [intent], change)
        if simulate:
            connection.rollback()
        return outcome

    return context.database.transact(work)


def _one(context: Context, connection: sa.Connection, cls: str, named: Json) -> int:
    """Return the id of the one object that is meant and seen."""
    database = context.database
    database.model.get_class(cls)
    if isinstance(named, int):
        ids: tuple[int, ...] = (named,)
    else:
        (ids,) = _search(context, connection, cls, named)
    visible = sorted(seen(database, connection, cls, ids, context.reader))
    if not visible:
        raise MissingFile(f"there is no {cls} {_said(named)}")
    if len(visible) > 1:
        raise InputError(f"{len(visible)} of class {cls} are {_said(named)}: ids {', '.join(map(str, visible))}")
    return visible[0]


def _search(context: Context, connection: sa.Connection, cls: str, named: Json) -> list[tuple[int, ...]]:
    criteria = {_FRIENDLY_NAME: named} if isinstance(named, str) else named
    if not isinstance(criteria, Mapping) or not criteria:
        raise InputError(f"{cls}: {_said(named)} names no object: give an id, a name or attributes with their values")
    declared = context.database.model.get_class(cls)
    problems: list[str] = []
    row = [
        value if code == _FRIENDLY_NAME else _value(context, connection, declared, code, value, problems)
        for code, value in criteria.items()
    ]
    if problems:
        raise InputError("; ".join(problems))
    return find(context.database, connection, cls, list(criteria), [row])


def _said(named: Json) -> str:
    if isinstance(named, int):
        return f"with the id {named}"
    if isinstance(named, str):
        return f"'{named}'"
    return str(named) if not isinstance(named, Mapping) else ", ".join(f"{k} = {v!r}" for k, v in named.items())


def _values(context: Context, connection: sa.Connection, cls: Class, data: Mapping[str, Json]) -> dict[str, object]:
    problems: list[str] = []
    values = {code: _value(context, connection, cls, code, value, problems) for code, value in data.items()}
    if problems:
        raise InputError("; ".join(problems))
    return values


def _value(
    context: Context, connection: sa.Connection, cls: Class, code: str, given: Json, problems: list[str]
) -> object:
    """Return the value of an attribute that JSON stands for; what is wrong with it goes to ``problems``."""
    if code not in cls.attributes:
        known = ", ".join(one for one, attribute in cls.attributes.items() if attribute.writable)
        problems.append(f"{code}: class {cls.name} has no such attribute; it has {known}")
        return None
    attribute = cls.attributes[code]
    if attribute.is_link_set and isinstance(given, Mapping):
        return _links(context, connection, attribute, given, problems)
    if not attribute.is_stored or attribute.is_link_set:
        problems.append(f"{code}: {attribute.type} cannot be set here")
        return None
    kind = bind(attribute)
    try:
        return _read(context, connection, attribute, kind, given)
    except Refused as refused:
        problems.append(f"{code}: {refused.text}")
    except ItopdError as error:
        problems.append(f"{code}: {error.message}")
    return None


def _links(
    context: Context, connection: sa.Connection, attribute: Attribute, given: Mapping[str, Json], problems: list[str]
) -> LinkSet:
    """Return the link set that JSON like ``{"add": [{...}], "remove": [id], "modify": {id: {...}}}`` stands for."""
    cls = context.database.model[attribute.linked_class or ""]
    odd = [word for word in given if word not in {"add", "remove", "attach", "modify"}]
    if odd:
        problems.append(f"{attribute.code}: {odd[0]} is none of add, remove, attach, modify")

    def read(data: Mapping[str, Json]) -> dict[str, object]:
        return {code: _value(context, connection, cls, code, value, problems) for code, value in data.items()}

    try:
        return LinkSet(
            add=tuple(read(data) for data in given.get("add", ())),
            attach=tuple(int(id_) for id_ in given.get("attach", ())),
            remove=tuple(int(id_) for id_ in given.get("remove", ())),
            modify={int(id_): read(data) for id_, data in given.get("modify", {}).items()},
        )
    except (TypeError, ValueError, AttributeError):
        form = '{"add": [{...}], "remove": [id], "attach": [id], "modify": {"id": {...}}}'
        problems.append(f"{attribute.code}: links are written like {form}")
        return LinkSet()


def _read(
    context: Context, connection: sa.Connection, attribute: Attribute, kind: AttributeType, given: Json
) -> object:
    if given is None:
        return kind.null
    if attribute.is_external_key and attribute.target and not (isinstance(given, int) or given == ""):
        return _one(context, connection, attribute.target, given)
    if isinstance(given, list):
        if kind.history is not HistoryKind.TAG_SET:
            raise InputError(f"a {attribute.type} is no list")
        return tuple(sorted(map(str, given)))
    if isinstance(given, Mapping):
        raise InputError(f"a {attribute.type} is no object of JSON")
    text = str(int(given)) if isinstance(given, bool) else str(given)
    if kind.history is HistoryKind.CASE_LOG:
        return NewEntry(text)
    return kind.parse(text, context.rules)


def _shown(attribute: Attribute, value: object) -> Json:
    kind = bind(attribute)
    if kind.history in _SECRET:
        return "" if kind.is_null(value) else "(set)"
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, tuple | frozenset):
        return sorted(map(str, value))
    return kind.to_text(value)
