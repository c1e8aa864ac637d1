"""How an export is refused, each kind by its name in ``spec/export.md`` §6."""

from __future__ import annotations

from itopd.errors import SettingsError


class MissingParameter(SettingsError):
    """A mandatory parameter was not given."""

    kind = "missing_parameter"


class BadFormat(SettingsError):
    """The output format is unknown."""

    kind = "bad_format"


class BadField(SettingsError):
    """A field names an alias or attribute that the query does not have."""

    kind = "bad_field"


class BadQueryId(SettingsError):
    """The phrasebook holds no such query."""

    kind = "bad_query_id"


class BadCharset(SettingsError):
    """The character set is unknown."""

    kind = "bad_charset"
