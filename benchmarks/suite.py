"""All jobs on one engine: itopd, then the straight script, then a look whether both have left the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks import ours, raw
from benchmarks.databases import Place, counted_rows, new_place, persons_of
from benchmarks.mails import queue_mails
from benchmarks.measure import JobFailed, Measurement, best, measure
from benchmarks.sinks import running_sink


@dataclass(frozen=True, slots=True)
class Comparison:
    """One job on one engine, done by both."""

    job: str
    engine: str
    itopd: Measurement
    raw: Measurement

    @property
    def ratio(self) -> float:
        """Return how many times the straight script's time itopd took."""
        return self.itopd.seconds / self.raw.seconds


def compare(engine: str, folder: Path, persons: Path, mails: int, times: int) -> Iterator[Comparison]:
    """Yield the comparisons as they are made; jobs that change nothing are done ``times`` times.

    Raises :class:`JobFailed` when the two differ in what they leave.
    """
    with ExitStack() as stack:
        mine = stack.enter_context(new_place(engine, folder / "itopd"))
        theirs = stack.enter_context(new_place(engine, folder / "raw"))
        yield _import(mine, theirs, persons, "import create", "created", 1)
        yield _import(mine, theirs, persons, "import unchanged", "unchanged", times)
        yield _export(mine, theirs, times)
        yield _mail(mine, theirs, mails)
        yield _write("write create", ours.create_persons, raw.create_persons, mine, theirs, persons)
        yield _write("write update", ours.update_persons, raw.update_persons, mine, theirs)
        yield _write("write delete", ours.delete_persons, raw.delete_persons, mine, theirs)


def _import(mine: Place, theirs: Place, persons: Path, job: str, outcome: str, times: int) -> Comparison:
    compared = Comparison(
        job,
        mine.engine,
        best(times, ours.import_csv, mine, persons, outcome),
        best(times, raw.import_csv, theirs, persons),
    )
    _require_equal(job, "rows of tables", counted_rows(mine), counted_rows(theirs))
    _require_equal(job, "persons", persons_of(mine), persons_of(theirs))
    return compared


def _write(
    job: str, our_job: Callable[..., int], their_job: Callable[..., int], mine: Place, theirs: Place, *arguments: Path
) -> Comparison:
    """Compare the writer alone with inserts and updates of rows and history."""
    compared = Comparison(job, mine.engine, measure(our_job, mine, *arguments), measure(their_job, theirs, *arguments))
    _require_equal(job, "rows of tables", counted_rows(mine), counted_rows(theirs))
    _require_equal(job, "persons", persons_of(mine), persons_of(theirs))
    return compared


def _export(mine: Place, theirs: Place, times: int) -> Comparison:
    job, my_file, their_file = "export csv", mine.folder / "persons.csv", theirs.folder / "persons.csv"
    compared = Comparison(
        job,
        mine.engine,
        best(times, ours.export_csv, mine, my_file),
        best(times, raw.export_csv, theirs, their_file),
    )
    _require_equal(job, "files", my_file.read_bytes(), their_file.read_bytes())
    return compared


def _mail(mine: Place, theirs: Place, mails: int) -> Comparison:
    job = "mail delivery"
    queue_mails(mine, mails)
    queue_mails(theirs, mails)
    with running_sink() as sink:
        my_time = measure(ours.deliver_mail, mine, sink.port)
        _require_equal(job, "mails queued and taken", mails, sink.taken())
        their_time = measure(raw.deliver_mail, theirs, sink.port)
        _require_equal(job, "mails queued and taken", 2 * mails, sink.taken())
    _require_equal(job, "rows of tables", counted_rows(mine), counted_rows(theirs))
    return Comparison(job, mine.engine, my_time, their_time)


def _require_equal(job: str, what: str, mine: object, theirs: object) -> None:
    if mine != theirs:
        raise JobFailed(f"{job}: itopd and the straight script did not leave the same {what}")
