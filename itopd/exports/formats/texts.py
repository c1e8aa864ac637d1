"""Text forms that several formats share."""

from __future__ import annotations


def duration_text(seconds: int) -> str:
    """Return a duration as iTop shows it: ``1d 2h 3min 4s``, leading null units dropped (``spec/export.md`` §4.1)."""
    minutes, rest = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (rest, "s")]
    while len(parts) > 1 and not parts[0][0]:
        del parts[0]
    return " ".join(f"{number}{unit}" for number, unit in parts)
