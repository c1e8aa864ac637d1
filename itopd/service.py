"""What a service is: types only (``design.md``, "One declaration per service").

A service is declared once: a name, a pydantic model of its parameters, and a function ``run(context, parameters)``.
The command line, HTTP and jobs are made from that declaration; the function knows none of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

from pydantic import BaseModel

if TYPE_CHECKING:  # declaring a service takes none of what running it takes
    from structlog.typing import FilteringBoundLogger

    from itopd.access import Account, Rights
    from itopd.clock import Clock
    from itopd.database import Database
    from itopd.dictionary import Dictionary
    from itopd.oql import Reader
    from itopd.rules import Rules
    from itopd.settings import Settings
    from itopd.writing import Writer


class Progress(Protocol):
    """Told from time to time how far a run is."""

    def __call__(self, done: int, total: int | None, unit: str) -> None:
        """Report that ``done`` of ``total`` (``None``: unknown) units are finished."""
        ...


@dataclass(frozen=True, slots=True)
class Context:
    """What a run is handed; all of it is made by ``wiring``."""

    settings: Settings
    rules: Rules
    clock: Clock
    database: Database
    """What the run reads: the main database, or its replica."""
    marks: Database | None
    """The main database, for what a run notes there past the writer, such as the use of a saved query; ``None`` while
    writing is closed (``access_mode``, iTop's maintenance and read-only markers)."""
    dictionary: Dictionary
    writer: Writer
    account: Account
    """Who acts: history and labels are this account's."""
    rights: Rights
    """What it may do with which class."""
    reader: Reader
    """What it sees: filters every query and every look-up of the run."""
    log: FilteringBoundLogger
    """Bound to the run's id."""
    run_id: str
    output: BinaryIO
    """Where the result goes that a caller reads (standard output, a file, an HTTP body)."""
    output_name: str
    """What people call that place: ``the caller``, or the path of a job's result."""
    progress: Progress
    should_stop: Callable[[], bool]
    """Asked between chunks: whether to stop and hand back."""


@dataclass(frozen=True, slots=True)
class Result:
    """How a run ended."""

    exit_code: int
    """Of ``errors.py``; 0 done, 1 done but some rows had issues."""
    summary: str
    """One line for the ledger and the log."""
    counters: Mapping[str, int] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    unfinished: bool = False
    """It obeyed ``should_stop`` before its end and wants to be run again."""


@dataclass(frozen=True, slots=True)
class Service:
    """One declared service."""

    name: str
    """iTop's word: ``import``, ``export``."""
    help: str
    parameters: type[BaseModel]
    run: Callable[[Context, Any], Result]
    """``parameters`` is an instance of the model above; the type checker cannot tie the two."""
    lane: str = "transfer"
    writes: bool = True
    """Whether it writes objects, and so waits for the end of iTop's maintenance."""
