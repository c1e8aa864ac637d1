"""OQL, iTop's object query language: text -> tree -> resolved tree -> SQLAlchemy select (``spec/oql.md``).

resolved = resolve(parse("SELECT Person WHERE org_name = :org"), database.model)
compiled = compile_query(
    resolved, database, columns=[ColumnPath("Person", "friendlyname")], arguments={"org": "Demo"}, now=now
)
for row in connection.execute(compiled.select):
    name = compiled.columns[0].decode(row)
"""

from itopd.oql.arguments import Argument, ObjectReference, account_arguments
from itopd.oql.compile import ColumnPath, CompiledColumn, CompiledQuery, compile_count, compile_query
from itopd.oql.parser import parse, parse_condition
from itopd.oql.places import line_and_column
from itopd.oql.reader import Reader
from itopd.oql.resolve import Hint, ResolvedQuery, Selected, resolve
from itopd.oql.text import to_text
from itopd.oql.tree import Query, Union

__all__ = [
    "Argument",
    "ColumnPath",
    "CompiledColumn",
    "CompiledQuery",
    "Hint",
    "ObjectReference",
    "Query",
    "Reader",
    "ResolvedQuery",
    "Selected",
    "Union",
    "account_arguments",
    "compile_count",
    "compile_query",
    "line_and_column",
    "parse",
    "parse_condition",
    "resolve",
    "to_text",
]
