"""One import from the request to the report (``design.md``, "One CSV row")."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Final, cast

import sqlalchemy as sa

from itopd.clock import to_itop
from itopd.dictionary import Dictionary
from itopd.errors import EXIT_DONE, EXIT_ISSUES, ConflictError, DatabaseError, ItopdError, RefusedError
from itopd.imports.block import Blocks, Settled
from itopd.imports.definition import Definition, define
from itopd.imports.files import ErrorFile, JsonReport, error_file, json_report
from itopd.imports.parameters import Parameters
from itopd.imports.problems import Problem, RowIssue, unseparated
from itopd.imports.report import (
    NOT_AVAILABLE,
    Counters,
    RowOutcome,
    RowReport,
    TextReport,
    middle_lines,
    table_head,
)
from itopd.imports.request import Checked, Request, check_request, open_data
from itopd.imports.rows import read_draft
from itopd.imports.table import table_cells
from itopd.service import Context, Result
from itopd.tabular import Row
from itopd.writing import Change

CHUNK: Final = 1000
"""Rows per transaction."""
ORIGIN: Final = "csv-import.php"

_Chunk = list[tuple[int, Row]]
"""Data rows with their numbers, from 0."""


def run(context: Context, parameters: Parameters) -> Result:
    """Import a CSV file.

    A refused request raises the error that says why; where the rules ask for iTop's exit codes it is a line of the
    output instead.
    """
    if context.rules.trimmed_parameters:
        parameters = parameters.trimmed()
    with open_data(parameters) as stream:
        request = Request()
        try:
            checked = check_request(context, parameters, stream, request)
            _check_simulation(context, parameters, checked)
        except ItopdError as error:
            if not context.rules.zero_exit_on_error:
                raise
            return _refused(context.output, request, error)
        return _run(context, parameters, checked, request)


def _check_simulation(context: Context, parameters: Parameters, checked: Checked) -> None:
    limit = context.settings.simulate_limit
    if parameters.simulate and checked.lines > limit:
        raise RefusedError(
            f"{checked.lines} rows are too many to simulate in one transaction (simulate_limit is {limit}): "
            "simulate a part of the file, or raise simulate_limit"
        )


def _refused(output: BinaryIO, request: Request, error: ItopdError) -> Result:
    lines = request.opening if request.output != "retcode" else []
    message = " ".join(error.message.split())
    output.write("".join(f"{line}\n" for line in [*lines, f"#{message}"]).encode("utf-8", "surrogatepass"))
    return Result(EXIT_DONE, f"refused: {message}")


def _run(context: Context, parameters: Parameters, checked: Checked, request: Request) -> Result:
    dictionary = context.dictionary
    details = parameters.output == "details"
    definition = define(
        context.database,
        checked.header,
        checked.reconciliation,
        context.rules,
        checked.dates,
        dictionary,
        context.reader,
        localized=checked.localized,
        details=details,
    )
    middle = middle_lines(
        checked.header,
        checked.reconciliation,
        checked.warnings,
        lines=checked.lines,
        simulate=parameters.simulate,
        comment=parameters.comment,
    )
    source = checked.source
    with ExitStack() as stack:
        if not parameters.simulate:
            stack.enter_context(context.database.named_lock(f"itopd_import_{checked.cls.root}"))
        reporter = _Reporter(
            definition,
            dictionary,
            stack.enter_context(TextReport(parameters.output, [*request.opening, *middle])),
            stack.enter_context(json_report(parameters.report)),
            stack.enter_context(error_file(parameters.error_file, source.dialect, source.charset)),
            simulate=parameters.simulate,
            details=details,
            early_dates=context.rules.failed_rows_first,
        )
        reporter.begin(parameters, checked)
        account = context.account
        change = Change(_userinfo(context, parameters), account.user_id, ORIGIN, author=account.friendly_name)
        rows_seen = not (parameters.simulate and context.rules.simulated_rows_unseen)
        blocks = Blocks(context.database, definition, context.writer, change, rows_seen=rows_seen)
        transactions = _simulate if parameters.simulate else _import
        stopped = transactions(context, checked, definition, blocks, reporter)
        reporter.finish(context.output, checked, table_head(definition, dictionary))
    return _result(context, parameters, reporter.counters, checked.lines, stopped=stopped)


def _userinfo(context: Context, parameters: Parameters) -> str:
    comment = f" - {parameters.comment}" if parameters.comment else ""
    return f"{context.account.friendly_name}, Web Service (CSV){comment}"


def _chunks(checked: Checked) -> Iterator[_Chunk]:
    """Yield the numbered data rows, a chunk at a time."""
    rows = checked.source.rows()
    next(rows)
    numbered = enumerate(rows)
    while chunk := list(islice(numbered, CHUNK)):
        yield chunk


def _import(context: Context, checked: Checked, definition: Definition, blocks: Blocks, reporter: _Reporter) -> bool:
    """Write chunk by chunk, each in a transaction of its own; return whether it was stopped before the end."""
    done = 0
    for chunk in _chunks(checked):
        if context.should_stop():
            return True
        try:
            settled = _commit(context, definition, blocks, chunk)
        except DatabaseError as error:
            raise DatabaseError(
                f"{error.message}. The first {done} of {checked.lines} rows are done and stay; import the file again"
            ) from error
        done = _account_for(context, checked, reporter, settled, done)
    return False


def _commit(context: Context, definition: Definition, blocks: Blocks, chunk: _Chunk) -> list[Settled]:
    """Write a chunk in a transaction of its own, which is done again as a whole when the server undoes it."""
    change = blocks.change

    def take(connection: sa.Connection) -> list[Settled]:
        blocks.change = replace(change)  # its row is there only if an earlier chunk has written it
        return _take(context, connection, definition, blocks, chunk)

    return context.database.transact(take)


def _simulate(context: Context, checked: Checked, definition: Definition, blocks: Blocks, reporter: _Reporter) -> bool:
    """Do the same in one transaction that is rolled back; return whether it was stopped before the end."""
    done = 0
    with context.database.write() as connection:
        try:
            for chunk in _chunks(checked):
                if context.should_stop():
                    return True
                settled = _take(context, connection, definition, blocks, chunk)
                done = _account_for(context, checked, reporter, settled, done)
        finally:
            connection.rollback()
    return False


def _take(
    context: Context, connection: sa.Connection, definition: Definition, blocks: Blocks, chunk: _Chunk
) -> list[Settled]:
    drafts = [read_draft(definition, number, row) for number, row in chunk]
    return blocks.take(connection, drafts, to_itop(context.clock.now(), context.database.timezone))


def _account_for(context: Context, checked: Checked, reporter: _Reporter, settled: Sequence[Settled], done: int) -> int:
    reporter.add(settled)
    done += len(settled)
    context.progress(done, checked.lines, "rows")
    return done


def _result(context: Context, parameters: Parameters, counters: Counters, lines: int, *, stopped: bool) -> Result:
    summary = ", ".join(f"{number} {name}" for name, number in counters.as_mapping().items() if name != "warnings")
    if parameters.simulate:
        summary = f"simulated: {summary}"
    files = tuple(Path(name) for name in (parameters.report, parameters.error_file) if name)
    exit_code = EXIT_ISSUES if counters.issues and not context.rules.zero_exit_on_error else EXIT_DONE
    if stopped:
        summary = f"stopped after {counters.rows} of {lines} rows: {summary}; import the file again for the rest"
        exit_code = ConflictError.exit_code
    return Result(exit_code, summary, counters.as_mapping(), files, unfinished=stopped)


@dataclass(slots=True)
class _Reporter:
    """Turns settled rows into report rows and hands them to all reports."""

    definition: Definition
    dictionary: Dictionary
    text: TextReport
    json: JsonReport | None
    errors: ErrorFile | None
    simulate: bool
    details: bool
    early_dates: bool
    counters: Counters = field(default_factory=Counters)

    def begin(self, parameters: Parameters, checked: Checked) -> None:
        """Write what comes before the rows."""
        if self.json is not None:
            asked = parameters.model_dump(by_alias=False, exclude={"csvdata"})
            self.json.begin({"class": asked.pop("class_"), **asked})
        if self.errors is not None:
            self.errors.begin(checked.header_row.cells)

    def add(self, settled: Sequence[Settled]) -> None:
        """Report the rows of a chunk."""
        made = {
            one.draft.number: self._id_text(one.outcome.id)
            for one in settled
            if self.details and one.outcome is not None and one.outcome.status == "created"
        }
        for one in settled:
            row = self._row(one, made)
            self.counters.count(row)
            self.text.add(row)
            if self.json is not None:
                self.json.add(row)
            if self.errors is not None:
                self.errors.add(row, one.draft.raw)

    def finish(self, output: BinaryIO, checked: Checked, head: str) -> None:
        """Write what comes after the rows."""
        if self.json is not None:
            self.json.finish(self.counters.as_mapping(), checked.warnings)
        self.text.finish(output, self.counters, head)

    def _row(self, one: Settled, made: Mapping[int, str]) -> RowReport:
        draft, outcome = one.draft, one.outcome
        if outcome is not None and outcome.status == "refused":
            draft.fail(RowIssue.REFUSED, ", ".join(issue.text for issue in outcome.issues))
            columns = {value.column.code: value.column.written for value in self.definition.values}
            columns |= {key.code: key.criteria[0].column.written for key in self.definition.keys}
            draft.problems += [Problem(i.kind, i.text, columns.get(i.code or ""), i.code) for i in outcome.issues]
        cells = table_cells(self.definition, draft, outcome, made) if self.details else ()
        name, id_ = self._object(one)
        kind: RowOutcome
        if draft.issue is not None:
            kind = "issue"
            status = self.word("issue", reason=unseparated(draft.issue_text))
        else:
            assert outcome is not None  # noqa: S101 - a row without issue was written
            kind = cast("RowOutcome", outcome.status)
            changed = sum(1 for change in outcome.changes if not change.hooked)
            status = self.word(kind, count=changed)
        return RowReport(
            draft.number,
            draft.line,
            kind,
            status,
            name,
            id_,
            draft.issue,
            tuple(draft.problems),
            cells,
            early=self.early_dates and draft.issue is RowIssue.DATE_FORMAT,
        )

    def word(self, outcome: RowOutcome, **parts: str | int) -> str:
        """Return the mark of an outcome in the language of the account (``spec/import.md`` §7.1)."""
        return self.dictionary.word(f"row/{outcome}").format_map(parts)

    def _object(self, one: Settled) -> tuple[str, str]:
        draft, outcome = one.draft, one.outcome
        if draft.issue is RowIssue.AMBIGUOUS:
            return NOT_AVAILABLE, "ambiguous"
        if draft.issue is RowIssue.NOT_SETTABLE or one.final_class is None:
            return NOT_AVAILABLE, NOT_AVAILABLE
        if outcome is not None and (outcome.status != "refused" or draft.target is not None):
            return one.final_class, self._id_text(outcome.id, created=outcome.status == "created")
        if isinstance(draft.target, int):
            return one.final_class, str(draft.target)
        return NOT_AVAILABLE, NOT_AVAILABLE

    def _id_text(self, id_: int, *, created: bool = True) -> str:
        return "0" if self.simulate and created else str(id_)
