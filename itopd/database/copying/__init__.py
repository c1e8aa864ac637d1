"""A whole database to another one, any engine to any engine: ``itopd db copy``.

:func:`copy_database` streams the rows of one snapshot, table by table, in bounded memory. Values that the target
cannot hold are found and named before anything is called done; a copy that is not complete is marked as such.
"""

from itopd.database.copying.copy import CopyRequest, copy_database, simulate_copy
from itopd.database.copying.report import CopyReport, Problem, Problems, UnholdableValues
from itopd.database.copying.target import MARKER, require_finished
from itopd.database.copying.values import Trouble

__all__ = [
    "MARKER",
    "CopyReport",
    "CopyRequest",
    "Problem",
    "Problems",
    "Trouble",
    "UnholdableValues",
    "copy_database",
    "require_finished",
    "simulate_copy",
]
