"""iTop's own exit codes of its scripts, for ``compat = itop`` (``import.md`` §1.2, ``export.md`` §6)."""

from __future__ import annotations

from itopd.errors import AccessDenied, ItopdError, MissingFile
from itopd.settings import UnreadableParameterFile

BAD_START = 254
REFUSED = 255


def itop_exit_code(service: str, error: ItopdError) -> int:
    """Return how iTop's script of that name ends where itopd raises ``error``."""
    if isinstance(error, UnreadableParameterFile):
        return BAD_START
    if service == "import":
        return REFUSED if isinstance(error, AccessDenied | MissingFile) else 0
    return REFUSED
