"""Where iTop is lenient and itopd is strict: one frozen object, chosen once at the edge.

Code asks ``rules.missing_cell``, never "are we compatible?". Only what the specs mark as a mere difference of default
stands here; crashes, data loss and holes of iTop are never imitated (``spec/params.md`` §7).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Rules:
    """Every choice that ``compat`` decides; each names its source."""

    name: Literal["itopd", "itop"]
    zero_exit_on_error: bool
    """Exit codes of commands are iTop's instead of the common list (``params.md`` §7)."""
    unknown_parameter: Literal["refuse", "warn"]
    """A parameter nobody declared (``params.md`` §6)."""
    refused_value: Literal["refuse", "default"]
    """A value that a parameter's filter refuses (``params.md`` §2)."""
    equal_sign_key: Literal["first", "greedy"]
    """The key of a parameters-file line whose text before the first blank holds ``=`` (``params.md`` §1)."""
    missing_cell: Literal["issue", "reset"]
    """A CSV row with fewer or more cells than the header (``import.md`` §6.1)."""
    bad_number: Literal["issue", "lenient"]
    """``abc`` or ``12.9`` for an integer, ``1,5`` for a decimal (``import.md`` §6.4, §10)."""
    bad_date: Literal["issue", "lenient"]
    """Digits alone as Unix time, impossible days (``import.md`` §6.4, §10)."""
    bad_byte: Literal["refuse", "drop"]
    """A byte that the charset cannot decode (``import.md`` §3)."""
    default_charset: Literal["UTF-8", "ISO-8859-1"]
    """Charset of CSV input when neither a parameter nor the setting names one (``import.md`` §3)."""
    duplicate_column: Literal["refuse", "last"]
    """A column given twice in a CSV header (``import.md`` §4.2)."""
    id_columns: bool
    """``id`` and ``key->id`` are columns of an import (``import.md`` §4.2)."""
    failed_rows_first: bool
    """Rows that failed at the date step come first in the report (``import.md`` §9.2)."""
    bom_kept_unless_utf8_upper: bool
    """A byte order mark is only removed when the charset is spelled exactly ``UTF-8`` (``import.md`` §3)."""
    simulated_rows_unseen: bool
    """In a simulation a row does not see what the rows before it would have written (``import.md`` §7.4)."""
    hidden_unseen: bool
    """An object that the account does not see is none for an import, which may create it again (``import.md`` §10)."""
    extra_warnings: bool
    """An import warns of what iTop does silently: an ignored key, a filter not enforced (``import.md`` §10)."""
    yes_refused: bool
    """A localized boolean takes its label only where the label is all lower-case (``import.md`` §6.4)."""
    any_no_localize: bool
    """``no_localize`` other than ``1`` means labels, whatever it says (``import.md`` §1.1)."""
    trimmed_parameters: bool
    """Blanks at the ends of an import's parameters are lost, so that none can be a separator (``import.md`` §1)."""
    default_retries: int
    """Attempts after the first for a mail when ``async_task_retries`` is not set (``email.md`` §10)."""
    every_mail_tried: bool
    """Each mail is tried even while its server fails again and again (``email.md`` §2)."""
    credentials_mandatory: bool
    """A call on the command line names an account; else ``run_as`` acts (``params.md`` §3)."""
    uses_counted: bool
    """A saved query that the command line exports counts as used, as over HTTP (``export.md`` §1.2)."""
    own_formats: bool
    """Export formats that iTop does not know (``export.md`` §6)."""
    strict_rights: bool
    """Objects that are only joined or reached through a key are hidden from whoever may not see them, like selected
    ones (``oql.md`` §10)."""


ITOPD = Rules(
    name="itopd",
    zero_exit_on_error=False,
    unknown_parameter="refuse",
    refused_value="refuse",
    equal_sign_key="first",
    missing_cell="issue",
    bad_number="issue",
    bad_date="issue",
    bad_byte="refuse",
    default_charset="UTF-8",
    duplicate_column="refuse",
    id_columns=True,
    failed_rows_first=False,
    bom_kept_unless_utf8_upper=False,
    simulated_rows_unseen=False,
    hidden_unseen=False,
    extra_warnings=True,
    yes_refused=False,
    any_no_localize=False,
    trimmed_parameters=False,
    default_retries=5,
    every_mail_tried=False,
    credentials_mandatory=False,
    uses_counted=True,
    own_formats=True,
    strict_rights=True,
)

ITOP = Rules(
    name="itop",
    zero_exit_on_error=True,
    unknown_parameter="warn",
    refused_value="default",
    equal_sign_key="greedy",
    missing_cell="reset",
    bad_number="lenient",
    bad_date="lenient",
    bad_byte="drop",
    default_charset="ISO-8859-1",
    duplicate_column="last",
    id_columns=False,
    failed_rows_first=True,
    bom_kept_unless_utf8_upper=True,
    simulated_rows_unseen=True,
    hidden_unseen=True,
    extra_warnings=False,
    yes_refused=True,
    any_no_localize=True,
    trimmed_parameters=True,
    default_retries=0,
    every_mail_tried=True,
    credentials_mandatory=True,
    uses_counted=False,
    own_formats=False,
    strict_rights=False,
)


def rules_for(compat: str) -> Rules:
    """Return the rules that the ``compat`` setting names (``itopd`` or ``itop``); ``KeyError`` for another word."""
    return {"itopd": ITOPD, "itop": ITOP}[compat]
