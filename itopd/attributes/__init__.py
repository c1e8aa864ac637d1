"""One small class per attribute type: columns, decode and encode, parse, check, equality, text form, history kind.

:func:`bind` turns the facts of an attribute into its behaviour. Values in Python: text ``str``, numbers ``int`` or
``Decimal``, booleans ``bool``, dates ``str`` in stored form, keys ``int`` (0 = unset), sets sorted tuples of codes,
and the frozen dataclasses below for what has several columns. Layouts are those of ``spec/objects.md`` §3.
"""

from itopd.attributes.base import AttributeType, HistoryKind, TypeOf
from itopd.attributes.binding import bind
from itopd.attributes.case_log import LogEntry, append_entries, append_entry, read_entries
from itopd.attributes.choices import codes_of_class
from itopd.attributes.columns import BINARY_KINDS, MOST_BYTES, TEXT_KINDS, Column, ColumnKind, Stored, rounded
from itopd.attributes.documents import Document, StopWatchState, StoredCaseLog, ThresholdState
from itopd.attributes.html import sanitise_html
from itopd.attributes.html_text import html_to_text
from itopd.attributes.refusals import Refused, RefusedKind
from itopd.attributes.secrets import Encrypted, PasswordHash

__all__ = [
    "BINARY_KINDS",
    "MOST_BYTES",
    "TEXT_KINDS",
    "AttributeType",
    "Column",
    "ColumnKind",
    "Document",
    "Encrypted",
    "HistoryKind",
    "LogEntry",
    "PasswordHash",
    "Refused",
    "RefusedKind",
    "StopWatchState",
    "Stored",
    "StoredCaseLog",
    "ThresholdState",
    "TypeOf",
    "append_entries",
    "append_entry",
    "bind",
    "codes_of_class",
    "html_to_text",
    "read_entries",
    "rounded",
    "sanitise_html",
]
