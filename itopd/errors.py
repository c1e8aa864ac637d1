"""The error tree. Every error says what is wrong, where, and what to do.

    ItopdError                exit 70  something itopd did not foresee
    ├── SettingsError              64  a parameter, a parameters file or a setting is wrong
    │   └── MissingFile            66  a file that was named is missing or unreadable
    ├── ModelError                 64  an unknown class or attribute, or an unusable data model
    ├── OqlError                   64  a query is wrong: kind, word and byte position
    ├── InputError                 65  the data given is unusable: line and column
    ├── AccessDenied               77  wrong credentials, or rights are missing
    ├── ConflictError              75  somebody else holds what is needed
    ├── RefusedError               69  maintenance, read-only, or a safety rule says no
    └── DatabaseError              69  the database is away, refuses, or is not what it should be

The exit codes are those of ``design.md`` (after ``sysexits.h``), the same for every command. A row's problem is
data in a report, never an exception.
"""

from __future__ import annotations

from typing import ClassVar

EXIT_DONE = 0
EXIT_ISSUES = 1


class ItopdError(Exception):
    """Something itopd did not foresee."""

    exit_code: ClassVar[int] = 70
    kind: ClassVar[str] = "internal_error"

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class SettingsError(ItopdError):
    """A parameter, a parameters file or a setting is wrong or missing."""

    exit_code = 64
    kind = "bad_setting"


class MissingFile(SettingsError):
    """A file that was named is missing or cannot be read."""

    exit_code = 66
    kind = "missing_file"


class ModelError(ItopdError):
    """A class or attribute is unknown, or the data model itself is unusable."""

    exit_code = 64
    kind = "bad_model"


class OqlError(ItopdError):
    """A query is wrong.

    ``problem`` is one of the kinds of ``spec/oql.md`` §4 (``lexical``, ``syntax``, ``unknown_class``, ...), ``word``
    the offending text, ``position`` its 0-based byte offset in the UTF-8 query, ``line`` and ``column`` (in characters)
    the same from 1, ``at_end`` tells a query that ended too early (``position`` is then its length).
    """

    exit_code = 64
    kind = "bad_query"

    def __init__(
        self,
        problem: str,
        message: str,
        *,
        word: str | None = None,
        position: int | None = None,
        line: int | None = None,
        column: int | None = None,
        at_end: bool = False,
        suggestion: str | None = None,
    ) -> None:
        super().__init__(message)
        self.problem = problem
        self.word = word
        self.position = position
        self.line = line
        self.column = column
        self.at_end = at_end
        self.suggestion = suggestion


class InputError(ItopdError):
    """The data given cannot be used at all; ``line`` and ``column`` are 1-based where they are known."""

    exit_code = 65
    kind = "bad_input"

    def __init__(self, message: str, *, line: int | None = None, column: str | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class AccessDenied(ItopdError):
    """Credentials are wrong, or the account lacks the right."""

    exit_code = 77
    kind = "access_denied"


class ConflictError(ItopdError):
    """Somebody else holds what is needed; the message says who and since when."""

    exit_code = 75
    kind = "busy"


class RefusedError(ItopdError):
    """Maintenance, a read-only database, or a safety rule forbids it."""

    exit_code = 69
    kind = "refused"


class DatabaseError(ItopdError):
    """The database is away, refuses, or is not what it should be."""

    exit_code = 69
    kind = "database_unavailable"
