"""OQL, iTop's object query language: text -> tree -> resolved tree -> SQLAlchemy select (``spec/oql.md``)."""

from itopd.oql.parser import parse
from itopd.oql.resolve import Hint, ResolvedQuery, Selected, resolve
from itopd.oql.text import to_text
from itopd.oql.tree import Query, Union

__all__ = ["Hint", "Query", "ResolvedQuery", "Selected", "Union", "parse", "resolve", "to_text"]
