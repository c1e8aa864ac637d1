"""From parameters to a statement and its columns."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, TypeAlias
from zoneinfo import ZoneInfo

import sqlalchemy as sa

from itopd.access import Action, named_profiles
from itopd.attributes import LogEntry, StoredCaseLog, bind, html_to_text, read_entries
from itopd.clock import to_itop
from itopd.datamodel import Attribute, Model
from itopd.errors import AccessDenied
from itopd.exports.columns import (
    Column,
    Field,
    Row,
    alias_of,
    header_of,
    kind_of_field,
    labels_of,
    parse_fields,
    shown_attribute,
)
from itopd.exports.errors import BadField, BadQueryId, MissingParameter
from itopd.exports.kinds import Kind
from itopd.exports.parameters import ExportParameters
from itopd.exports.preferences import shows_obsolete
from itopd.objects import tag_labels
from itopd.objects.phrasebook import SavedQuery, saved_query
from itopd.oql import (
    ColumnPath,
    CompiledColumn,
    ResolvedQuery,
    account_arguments,
    compile_query,
    parse,
    resolve,
)
from itopd.php import PhpError, unserialize
from itopd.service import Context

CHUNK = 1000
"""Rows held in memory at a time."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What an export reads: the statement and how its rows become columns."""

    columns: tuple[Column, ...]
    statement: sa.Executable

    def chunks(self, connection: sa.Connection) -> Generator[Sequence[Row], None, None]:
        """Yield the rows, some at a time, in the snapshot of the connection; close it before that."""
        result = connection.execution_options(stream_results=True, max_row_buffer=CHUNK).execute(self.statement)
        with result:
            yield from result.partitions(CHUNK)


@dataclass(frozen=True, slots=True)
class Query:
    """The query of an export, checked, and the fields that were asked for."""

    resolved: ResolvedQuery
    fields: str
    """Empty when neither the caller nor the phrasebook names any."""
    saved: int | None = None
    """Id of the saved query that it is."""


def find_query(context: Context, connection: sa.Connection, parameters: ExportParameters) -> Query:
    """Check the query and its arguments, in iTop's order.

    Raises :class:`MissingParameter`, :class:`BadQueryId` and :class:`OqlError`.
    """
    saved = _saved(context, connection, parameters)
    resolved = resolve(parse(saved.oql if saved else parameters.expression), context.database.model)
    _require_arguments(resolved, parameters.arguments)
    own_fields = saved.fields if saved else ""
    return Query(resolved, parameters.fields or own_fields, saved.id if saved else None)


def select(context: Context, connection: sa.Connection, parameters: ExportParameters, query: Query) -> Selection:
    """Check rights and fields; return what to read.

    Raises :class:`MissingParameter`, :class:`AccessDenied`, :class:`BadField`.
    """
    resolved, listed = query.resolved, query.fields
    if not listed:
        raise MissingParameter("Missing parameter: fields; give attribute codes separated by commas")
    selected = {one.alias: one.cls for one in resolved.selected}
    _require_rights(context, selected, listed)
    fields = parse_fields(listed, selected, context.database.model)
    _require_writable(fields, context.database.model)
    needed = [_paths(field, context.database.model) for field in fields]
    compiled = compile_query(
        resolved,
        context.database,
        columns=list(dict.fromkeys(path for paths in needed for path in paths)),
        arguments={**account_arguments(context.account.user_id, context.account.contact_id), **parameters.arguments},
        reader=replace(context.reader, hide_obsolete=not shows_obsolete(context, connection)),
        now=to_itop(context.clock.now(), context.database.timezone),
    )
    build = _Columns(context, connection, parameters, selected, any(h.kind == "outer_join" for h in resolved.hints))
    read = {column.path: column for column in compiled.columns}  # what several fields need is read once
    columns = tuple(
        build.column(field, *(read[path] for path in paths)) for field, paths in zip(fields, needed, strict=True)
    )
    return Selection(columns, compiled.select)


def _require_rights(context: Context, selected: Mapping[str, str], fields: str) -> None:
    """Raise :class:`AccessDenied` unless the account may read in bulk the class of each alias that a field names.

    What is said wrongly of aliases that are not there is left to the check of the fields.
    """
    for alias in sorted({alias_of(item, selected) for item in fields.split(",")} & selected.keys()):
        cls = selected[alias]
        if not context.rights.allows(Action.BULK_READ, cls):
            raise AccessDenied(
                f"You do not have enough permissions to bulk read data of class '{cls}' (alias: {alias}): '"
                f"{context.account.login}' has the {named_profiles(context.account)}; use another auth_user"
            )


def _saved(context: Context, connection: sa.Connection, parameters: ExportParameters) -> SavedQuery | None:
    """Return the phrasebook entry that is asked for; ``None`` when the caller gives the query's text."""
    if parameters.expression:
        return None
    if not parameters.query:
        raise MissingParameter("Missing parameter: give expression (an OQL query) or query (its id in the phrasebook)")
    found = saved_query(context.database, connection, parameters.query)
    if found is None:
        raise BadQueryId(f"query={parameters.query}: the phrasebook holds no query of that id")
    return found


def _require_arguments(resolved: ResolvedQuery, given: Mapping[str, str]) -> None:
    missing = [name for name in resolved.parameters if name not in given]
    if missing:
        raise MissingParameter(f"Missing parameter '--arg_{missing[0]}': the query uses :{missing[0]}; give its value")


def _require_writable(fields: Sequence[Field], model: Model) -> None:
    for field in fields:
        _, attribute = shown_attribute(field, model)
        if attribute is not None and kind_of_field(attribute) is Kind.UNWRITABLE:
            raise BadField(
                f"field '{field.item}': values of type {attribute.type} cannot be exported yet; leave it out"
            )


def _paths(field: Field, model: Model) -> tuple[ColumnPath, ColumnPath, ColumnPath]:
    """Return what a field needs: its value, the id of the object that holds it, the id of the alias's object."""
    owner = field.path[:-1] or ("id",)
    _, attribute = shown_attribute(field, model)
    value = owner if kind_of_field(attribute) is Kind.EMPTY else field.path  # what is never shown is not read
    return (
        ColumnPath(field.alias, "->".join(value)),
        ColumnPath(field.alias, "->".join(owner)),
        ColumnPath(field.alias, "id"),
    )


@dataclass(frozen=True, slots=True)
class _Columns:
    """Makes columns of compiled ones."""

    context: Context
    connection: sa.Connection
    parameters: ExportParameters
    selected: Mapping[str, str]
    outer: bool
    """Whether objects of some alias may be missing in a row."""

    def column(self, field: Field, value: CompiledColumn, owner: CompiledColumn, whole: CompiledColumn) -> Column:
        """Return one column, as the formats see it."""
        model, dictionary = self.context.database.model, self.context.dictionary
        cls, attribute = shown_attribute(field, model)
        kind = kind_of_field(attribute)
        localize = not self.parameters.no_localize
        owner_id = itemgetter(owner.positions[0])
        read, kind = self._reading(attribute, kind, value.positions)
        if len(field.path) > 1 and attribute is not None and attribute.type == "AttributeFriendlyName":
            read = _of_object(read, owner_id)
        return Column(
            field=field,
            header=header_of(
                field,
                model=model,
                dictionary=dictionary,
                root=self.selected[field.alias],
                localize=localize,
                qualified=len(self.selected) > 1,
            ),
            kind=kind,
            attribute=attribute,
            cls=cls,
            read=read,
            owner=owner_id,
            absent=_cell_is_none(whole.positions[0]) if self.outer else None,
            labels=self._labels(cls, attribute, kind),
        )

    def _labels(self, cls: str, attribute: Attribute | None, kind: Kind) -> Mapping[str, str]:
        if attribute is not None and attribute.type == "AttributeTagSet":
            return tag_labels(self.context.database, self.connection, attribute)
        return labels_of(cls, attribute, kind, model=self.context.database.model, dictionary=self.context.dictionary)

    def _reading(self, attribute: Attribute | None, kind: Kind, positions: Sequence[int]) -> Reading:
        """Return what reads the value in a row, and the kind that the formats then see."""
        if kind is Kind.EMPTY:
            return _nothing, kind
        if attribute is None or kind in _AS_STORED or attribute.type == "AttributeStopWatch":
            return itemgetter(positions[0]), kind  # of a stop watch the first column, the seconds spent
        if kind is Kind.MARKUP:
            return (itemgetter(positions[0]) if self.parameters.formatted_text else _plain(positions)), Kind.TEXT
        if kind is Kind.PROPERTIES:
            return _properties(positions[0]), kind
        decode = bind(attribute).decode

        def read(row: Row) -> Any:  # noqa: ANN401 - of the type of the attribute
            return decode([row[position] for position in positions])

        if kind is Kind.LOG:
            return (
                itemgetter(positions[0])
                if self.parameters.formatted_text
                else _log(read, self.context.database.timezone)
            ), Kind.TEXT
        return read, kind


_AS_STORED = frozenset(
    {Kind.TEXT, Kind.ENUM, Kind.CLASS, Kind.KEY, Kind.DATE, Kind.DATETIME, Kind.DEADLINE, Kind.SECRET}
)
"""Kinds whose stored form is the value: decoding would only cost time."""


Reading: TypeAlias = tuple[Callable[[Row], Any], Kind]


def _log(read: Callable[[Row], StoredCaseLog], zone: ZoneInfo) -> Callable[[Row], Any]:
    """Return a reader of a case log as one line of text, oldest entry first (``spec/export.md`` §4.2)."""

    def entry_text(entry: LogEntry) -> str:
        body = html_to_text(entry.body) if entry.format == "html" else entry.body
        date = "" if entry.instant is None else to_itop(entry.instant, zone)
        return f"========== {date} : {entry.author} ({entry.user_id}) ============ {body}"

    def text(row: Row) -> str:
        entries = [entry_text(entry) for entry in read_entries(read(row))]
        return " ".join(" ".join(reversed(entries)).split())

    return text


def _of_object(read: Callable[[Row], Any], owner: Callable[[Row], Any]) -> Callable[[Row], Any]:
    """Return a reader that gives nothing where there is no object: its name would be the blanks of the format."""
    return lambda row: read(row) if owner(row) else None


def _properties(position: int) -> Callable[[Row], Any]:
    """Return a reader of a property set; what is no serialized array holds nothing, as in iTop."""

    def read(row: Row) -> Any:  # noqa: ANN401 - names with values of any kind, or nothing
        try:
            value = unserialize(row[position].encode()) if row[position] else None
        except PhpError:
            return None
        return value if isinstance(value, dict) and value else None

    return read


def _cell_is_none(position: int) -> Callable[[Row], bool]:
    return lambda row: row[position] is None


def _nothing(_row: Row) -> None:
    return None


def _plain(positions: Sequence[int]) -> Callable[[Row], Any]:
    """Return a reader of a formatted text: HTML becomes plain text, what is stored as text stays."""
    text = positions[0]
    if len(positions) == 1:
        return lambda row: html_to_text(row[text]) if row[text] else row[text]
    form = positions[1]
    return lambda row: row[text] if not row[text] or row[form] == "text" else html_to_text(row[text])
