"""What the attributes of a source are worth: columns, external fields, friendly names, flags (``spec/oql.md`` §6.4)."""

from __future__ import annotations

import re
from collections.abc import Callable

import sqlalchemy as sa

from itopd.datamodel import Attribute, Class
from itopd.oql.dialect import Dialect
from itopd.oql.names import ID, usable_names
from itopd.oql.parser import parse_condition
from itopd.oql.sources import Source
from itopd.oql.tree import Expression, Field, walk
from itopd.oql.values import Kind, Sql, Value, is_unsigned, kind_of, kind_of_stop_watch_item, truth

FRIENDLY_NAME = "friendlyname"
FINAL_CLASS = "finalclass"
OBSOLESCENCE_FLAG = "obsolescence_flag"

Evaluate = Callable[[Source, Expression], Value]
"""Evaluates a condition whose unqualified names are attributes of one source."""

_PLACE = re.compile(r"%(\d+)\$s")


class AttributeReader:
    """Reads attributes of sources."""

    def __init__(self, dialect: Dialect, evaluate: Evaluate) -> None:
        self._dialect = dialect
        self._evaluate = evaluate

    def read(self, source: Source, code: str) -> Value:
        """Return the value of an attribute, or of ``id``."""
        return source.once(code, self._read)

    def _read(self, source: Source, code: str) -> Value:
        if code == ID:
            return Value(source.id, Kind.NUMBER)
        if code == FRIENDLY_NAME:
            return Value(self._friendly_name(source), Kind.TEXT)
        if code == FINAL_CLASS:
            return Value(_final_class(source), Kind.TEXT)
        if code == OBSOLESCENCE_FLAG:
            return Value(self._obsolescence_flag(source), Kind.NUMBER)
        attribute = source.cls.attributes.get(code)
        if attribute is None:
            return self._stop_watch_item(source, code)
        if attribute.is_external_field:
            return self.read(source.follow(attribute.key or ""), attribute.target_attcode or "")
        if attribute.type == "AttributeSubItem":
            watch = source.cls.attributes[attribute.stop_watch or ""]
            return _watch(source, watch, attribute.item or "")
        column = f"{attribute.sql}_timespent" if attribute.type == "AttributeStopWatch" else attribute.sql
        kind = kind_of(attribute)
        codes = attribute.values if kind is Kind.ENUM else ()
        return Value(source.column(attribute.origin, column), kind, codes=codes, unsigned=is_unsigned(attribute))

    def _stop_watch_item(self, source: Source, code: str) -> Value:
        watch = usable_names(source.cls)[code]
        if watch is None:
            raise KeyError(code)
        return _watch(source, watch, code.removeprefix(f"{watch.code}_"))

    def _friendly_name(self, source: Source) -> Sql:
        """Return the name of an object, after the format of its final class."""

        def rule(cls: Class) -> tuple[object, ...]:
            return (cls.name_format, *((code, _origin(cls, code)) for code in cls.name_attributes))

        return self._by_final_class(source, rule, self._formatted)

    def _formatted(self, source: Source) -> Sql:
        cls = source.cls
        parts: list[Sql] = []
        for index, piece in enumerate(_PLACE.split(cls.name_format)):
            if index % 2:
                place = int(piece)
                if place <= len(cls.name_attributes):
                    parts.append(self._dialect.text_or_empty(self.read(source, cls.name_attributes[place - 1])))
            elif piece:
                parts.append(sa.bindparam(None, piece, sa.String(), unique=True))
        return self._dialect.concatenate(parts)

    def _obsolescence_flag(self, source: Source) -> Sql:
        """Return 1 or 0: the rule of the final class, undefined counting as 0."""

        def rule(cls: Class) -> tuple[object, ...]:
            condition = cls.obsolescence
            if condition is None:
                return (None,)
            names = [node.name.text for node, _depth in walk(parse_condition(condition)) if isinstance(node, Field)]
            return (condition, *(_origin(cls, name) for name in names))

        return self._by_final_class(source, rule, self._obsolete)

    def _obsolete(self, source: Source) -> Sql:
        if source.cls.obsolescence is None:
            return truth(False).sql
        condition = self._dialect.as_truth(self._evaluate(source, parse_condition(source.cls.obsolescence)))
        return sa.case((condition, truth(True).sql), else_=truth(False).sql)

    def _by_final_class(
        self, source: Source, rule: Callable[[Class], tuple[object, ...]], compute: Callable[[Source], Sql]
    ) -> Sql:
        """Return what ``compute`` makes of the object, by final class where subclasses have another ``rule``.

        A rule names the classes that declare the attributes it reads: classes of one rule read the same columns.
        """
        own, groups = rule(source.cls), dict[tuple[object, ...], list[Class]]()
        for name in source.cls.subclasses:
            cls = source.tables.model[name]
            if not cls.abstract and rule(cls) != own:
                groups.setdefault(rule(cls), []).append(cls)
        if not groups:
            return compute(source)
        final_class = _final_class(source)
        branches = [
            (final_class.in_([cls.name for cls in classes]), compute(source.narrowed(classes[0])))
            for classes in groups.values()
        ]
        return sa.case(*branches, else_=compute(source))


def _origin(cls: Class, code: str) -> str:
    attribute = cls.attributes.get(code)
    return attribute.origin if attribute else cls.name


def _watch(source: Source, watch: Attribute, item: str) -> Value:
    return Value(source.column(watch.origin, f"{watch.sql}_{item}"), kind_of_stop_watch_item(item))


def _final_class(source: Source) -> Sql:
    attribute = source.cls.attributes.get(FINAL_CLASS)
    if attribute is not None and source.tables.model[attribute.origin].table:
        return source.column(attribute.origin, attribute.sql)
    name = sa.bindparam(None, source.cls.name, sa.String(), unique=True)
    return sa.case((source.id.is_not(None), name)) if source.optional else name
