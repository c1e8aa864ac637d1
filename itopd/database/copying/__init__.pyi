from .copy import CopyRequest, copy_database, simulate_copy
from .report import CopyReport, Problem, Problems, UnholdableValues
from .target import MARKER, require_finished
from .values import Trouble

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
