"""One run of a job that watches a folder: take a file, give it to the service, put it away with its report."""

from __future__ import annotations

import json
import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final

from itopd.errors import (
    AccessDenied,
    ConflictError,
    DatabaseError,
    InputError,
    ItopdError,
    MissingFile,
)
from itopd.heartbeat import RunOutcome, RunSpec
from itopd.heartbeat.jobs.hot_folder import HotFolder, Watch
from itopd.heartbeat.jobs.taking import Taken, Taker

MOST_DEATHS: Final = 2
"""So many processes may die over a file; the next one sets it aside without trying."""
_NOT_THE_FILE: Final = frozenset(error.exit_code for error in (MissingFile, DatabaseError, ConflictError, AccessDenied))
"""Exit codes of failures that any other file would meet too: the account, a folder or a server must be mended."""

Work = Callable[[Path, BinaryIO], RunOutcome]
"""Gives a file to the service, whose output goes to the stream."""


def perform_on_file(spec: RunSpec, suffix: str, work: Work) -> RunOutcome:
    """Work on one file of the watched folder of a job; ``suffix`` is the extension of reports.

    What is the file's fault puts it into ``failed`` at once, what may be after the job's retries; what is the fault of
    others leaves it where the next run finds it.
    """
    watch = Watch.parse(spec.job_keys["watch"])
    taker, ready = Taker(watch, spec.name), json.loads(spec.job_keys["ready"])
    taken = taker.take(ready.items(), spec.run_id)
    if taken is None and not ready:
        folder = HotFolder(watch, spec.name, float(spec.job_keys["settle_seconds"]))
        taken = taker.take(folder.wait_for_ready().items(), spec.run_id)
    if taken is None:
        return _nothing_taken(taker)
    if taken.verdict is not None:
        place = taken.put_away(suffix)
        return RunOutcome(True, 0, f"{taken.name}: an earlier run had finished with it; moved to {place}")
    if taken.unreadable:
        error = f"it may not be read ({taken.unreadable}): let this account read it, and put it back"
        return _settled(taken, RunOutcome(False, InputError.exit_code, error=error), suffix)
    if taken.deaths >= MOST_DEATHS:
        error = f"{taken.deaths} processes in a row died over it"
        return _settled(taken, RunOutcome(False, ItopdError.exit_code, error=error), suffix)
    outcome = _outcome(taken, work)
    if outcome.succeeded or outcome.exit_code == InputError.exit_code:
        return _settled(taken, outcome, suffix)
    if outcome.unfinished or outcome.exit_code in _NOT_THE_FILE:
        taken.give_back(failed=False)
        return replace(outcome, error=outcome.error and f"{taken.name} waits: {outcome.error}")
    if taken.failures >= int(spec.job_keys["retries"]):
        return _settled(taken, outcome, suffix)
    taken.give_back(failed=True)
    return replace(outcome, error=f"{taken.name} will be tried again: {outcome.error}")


def _nothing_taken(taker: Taker) -> RunOutcome:
    if taker.is_held():
        error = f"another process still holds the file in {taker.watch.folder}/working/{taker.job}"
        return RunOutcome(False, ConflictError.exit_code, error=error)
    return RunOutcome(True, 0, "no file waits any more")


def _outcome(taken: Taken, work: Work) -> RunOutcome:
    """Do the work, its output kept beside the file; whatever it raises is a failed outcome."""
    with taken.output.open("wb") as output:
        try:
            outcome = work(taken.path, output)
        except ItopdError as error:
            outcome = RunOutcome(False, error.exit_code, error=error.message)
        except Exception as error:  # noqa: BLE001 - reported in full; the file must get its place all the same
            text = "".join(traceback.format_exception(error))
            outcome = RunOutcome(False, ItopdError.exit_code, error=f"{type(error).__name__}: {error}\n{text}")
    return outcome


def _settled(taken: Taken, outcome: RunOutcome, suffix: str) -> RunOutcome:
    """Put a file away as its outcome says, a failure with its reason at the end of the report."""
    with taken.output.open("ab") as output:
        if not outcome.succeeded:
            output.write(f"ERROR ({outcome.exit_code}): {outcome.error}\n".encode(errors="backslashreplace"))
    taken.decide("done" if outcome.succeeded else "failed")
    place = taken.put_away(suffix)
    if outcome.succeeded:
        return replace(outcome, message=f"{taken.name}: {outcome.message}; moved to {place}")
    return replace(outcome, error=f"{taken.name}: {outcome.error}; moved to {place}")
