"""From parameters and a file to a checked request: what is checked before any row
(``spec/import.md`` §1.3).
"""

from __future__ import annotations

import io
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final

from itopd.access import Action, named_profiles
from itopd.clock import ITOP_DATETIME, to_itop
from itopd.datamodel import Class
from itopd.errors import AccessDenied, InputError, MissingFile, SettingsError
from itopd.imports.cells import DateRules, date_rules
from itopd.imports.header import (
    Header,
    ReconciliationKey,
    default_reconciliation,
    explicit_reconciliation,
    ignored_keys,
    known_names,
    read_header,
)
from itopd.imports.parameters import Parameters
from itopd.rules import Rules
from itopd.service import Context
from itopd.tabular import Dialect, Row, find_codec, read_csv

OUTPUTS: Final = ("retcode", "summary", "details")
NO_DATA: Final = "Missing data - at least one line is expected"


@dataclass(slots=True)
class Request:
    """What is asked; filled check by check, so that a refusal knows how far the checks came."""

    output: str = "summary"
    opening: list[str] = field(default_factory=list)
    """Comment lines of the report that come before what is checked next."""


@dataclass(frozen=True, slots=True)
class Source:
    """The bytes to import."""

    stream: BinaryIO
    size: int
    charset: str
    dialect: Dialect
    rules: Rules

    def rows(self) -> Iterator[Row]:
        """Yield all rows from the beginning, the header included."""
        self.stream.seek(0)
        kept = self.rules.bom_kept_unless_utf8_upper and self.charset != "UTF-8"
        return read_csv(self.stream, self.dialect, charset=self.charset, bad_byte=self.rules.bad_byte, keep_bom=kept)


@dataclass(frozen=True, slots=True)
class Checked:
    """A request that is found good."""

    cls: Class
    source: Source
    header: Header
    header_row: Row
    lines: int
    """Number of data rows."""
    reconciliation: tuple[ReconciliationKey, ...]
    dates: DateRules | None
    localized: bool
    warnings: tuple[str, ...]


@contextmanager
def open_data(parameters: Parameters) -> Iterator[BinaryIO]:
    """Yield the data as a file that can be read twice.

    Raises :class:`SettingsError` when there is neither file nor text, :class:`MissingFile` for an unreadable file.
    """
    if parameters.csvdata is not None:
        yield io.BytesIO(parameters.csvdata.encode("utf-8", "surrogateescape"))
        return
    if not parameters.csvfile:
        raise SettingsError("Missing argument 'csvfile': name the CSV file to import")
    path = Path(parameters.csvfile)
    try:
        file = path.open("rb")
    except OSError as error:
        raise MissingFile(
            f"Input file could not be found or could not be read: '{path}' ({error.strerror}); check csvfile"
        ) from None
    with file:
        if file.seekable():
            yield file
            return
        with tempfile.TemporaryFile() as copy:  # a pipe: it is read once to be checked and once to be imported
            shutil.copyfileobj(file, copy)
            yield copy


def check_request(context: Context, parameters: Parameters, stream: BinaryIO, request: Request) -> Checked:
    """Return the request found good; raise the error that says why it is refused.

    The whole file is read once: what makes it unusable is found before anything is written.
    """
    rules = context.rules
    size = stream.seek(0, io.SEEK_END)
    if size == 0:
        raise InputError(NO_DATA)
    model = context.database.model
    cls = model.get_class(parameters.class_)
    separator = "\t" if parameters.separator.lower() == "tab" else parameters.separator
    if len(separator.encode()) > 1:
        raise SettingsError(f"Separator is limited to one character, found '{separator}'")
    if len(parameters.qualifier.encode()) > 1:
        raise SettingsError(f"Text qualifier is limited to one character, found '{parameters.qualifier}'")
    if parameters.output not in OUTPUTS:
        raise SettingsError(f"Unknown output format: '{parameters.output}'; use {', '.join(OUTPUTS)}")
    request.output = parameters.output
    charset = parameters.charset or _default_charset(context)
    now = _local_now(context)
    dates = date_rules(parameters.date_format, rules, context.database.timezone, now)
    localized = _localized(parameters.no_localize, rules)
    request.opening += [
        f"#Output format: {parameters.output}",
        f"#Class: {cls.name}",
        f"#Separator: {separator}",
        f"#Qualifier: {parameters.qualifier}",
        f"#Charset Encoding:{charset}",
        *_date_lines(dates),
        f"#Localize: {'yes' if localized else 'no'}",
        f"#Data Size: {size}",
    ]
    find_codec(charset)
    _require_rights(context, cls)
    source = Source(stream, size, charset, Dialect(separator, parameters.qualifier), rules)
    rows = source.rows()
    header_row = next(rows, None)
    if header_row is None:
        raise InputError(NO_DATA)
    names = known_names(model, cls, context.dictionary if localized else None, ids=rules.id_columns)
    header = read_header(model, cls, header_row.cells, names, rules)
    warnings = list(header.warnings)
    if parameters.reconciliationkeys:
        keys, more = explicit_reconciliation(header, parameters.reconciliationkeys, names)
        warnings += more
    else:
        keys = default_reconciliation(header, strict=parameters.reconcile == "strict")
        if rules.extra_warnings:
            warnings += [_ignored(code) for code in ignored_keys(header, keys)]
    if rules.extra_warnings:
        warnings += [_unenforced(key.attribute.code) for key in header.keys if key.attribute.filter]
    return Checked(cls, source, header, header_row, sum(1 for _ in rows), keys, dates, localized, tuple(warnings))


def _require_rights(context: Context, cls: Class) -> None:
    """Raise :class:`AccessDenied` unless the account may write objects of the class in bulk."""
    if context.rights.allows(Action.BULK_WRITE, cls.name):
        return
    login = context.account.login
    reason = (
        f"'{login}' has the {named_profiles(context.account)}; use another auth_user"
        if context.rights.may_write
        else f"access_mode lets '{login}' only read"
    )
    raise AccessDenied(f"You are not allowed to perform a bulk update of objects of class {cls.name}: {reason}")


def _default_charset(context: Context) -> str:
    """Return the setting when somebody set it, else what the rules take."""
    if "csv_file_default_charset" in context.settings.model_fields_set:
        return context.settings.csv_file_default_charset
    return context.rules.default_charset


def _local_now(context: Context) -> datetime:
    return datetime.strptime(to_itop(context.clock.now(), context.database.timezone), ITOP_DATETIME)  # noqa: DTZ007


def _localized(no_localize: str, rules: Rules) -> bool:
    word = no_localize.strip().lower()
    if word == "1":
        return False
    if rules.any_no_localize or word in {"", "0", "false", "no", "off"}:
        return True
    if word in {"true", "yes", "on"}:
        return False
    raise SettingsError(f"no_localize '{no_localize}' is neither 1 (codes) nor 0 (labels)")


def _date_lines(dates: DateRules | None) -> list[str]:
    if dates is None:
        return ["#Date format: <none>"]
    day = dates.date_format.modern if dates.date_format else ""
    return [f"#Date and time format: '{dates.format.modern}'", f"#Date format: '{day}'"]


def _ignored(code: str) -> str:
    return (
        f"objects are not looked up by {code} although the class declares it: only a column of that very name counts; "
        f"give reconcile=strict, or name {code} in reconciliationkeys"
    )


def _unenforced(code: str) -> str:
    return f"the filter of {code} (which targets make sense) is not enforced"
