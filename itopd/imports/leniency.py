"""What ``compat`` decides in the import beyond :class:`itopd.rules.Rules` (``spec/import.md``); chosen in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from itopd.rules import Rules


@dataclass(frozen=True, slots=True)
class Leniency:
    """Choices of the import alone; each names its source."""

    bom_kept_unless_utf8_upper: bool
    """A byte order mark is only removed when the charset is spelled exactly ``UTF-8`` (§3)."""
    simulated_rows_unseen: bool
    """In a simulation a row does not see what the rows before it would have written (§7.4)."""
    extra_warnings: bool
    """Warn of what iTop does silently: a declared key that is ignored, a filter that is not enforced (§10)."""
    yes_refused: bool
    """A localized boolean takes its label only where the label is all lower-case (§6.4)."""
    any_no_localize: bool
    """``no_localize`` other than ``1`` means labels, whatever it says (§1.1)."""
    trimmed_parameters: bool
    """Blanks at the ends of parameters are lost, so that neither a blank nor a tab can be a separator (§1)."""


_ITOPD: Final = Leniency(
    bom_kept_unless_utf8_upper=False,
    simulated_rows_unseen=False,
    extra_warnings=True,
    yes_refused=False,
    any_no_localize=False,
    trimmed_parameters=False,
)
_ITOP: Final = Leniency(
    bom_kept_unless_utf8_upper=True,
    simulated_rows_unseen=True,
    extra_warnings=False,
    yes_refused=True,
    any_no_localize=True,
    trimmed_parameters=True,
)


def leniency_of(rules: Rules) -> Leniency:
    """Return the import's choices that go with ``rules``."""
    return _ITOP if rules.name == "itop" else _ITOPD
