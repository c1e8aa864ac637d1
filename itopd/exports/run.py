"""One export, from the request to the last byte (``spec/export.md`` §6 for the order of checks, §8 for the reading)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from itopd.clock import to_itop
from itopd.errors import EXIT_DONE, AccessDenied, ConflictError, DatabaseError
from itopd.exports.columns import Row
from itopd.exports.errors import BadFormat
from itopd.exports.formats import FORMATS, Format, Options
from itopd.exports.formats.options import Words
from itopd.exports.parameters import ExportParameters
from itopd.exports.selection import Selection, find_query, select
from itopd.exports.transliterate import codec_of
from itopd.objects.phrasebook import count_use
from itopd.service import Context, Result
from itopd.tabular import date_part, published, stored_writer


@dataclass(slots=True)
class Progressing:
    """Counts rows as they pass, and tells the run's progress."""

    context: Context
    rows: int = 0

    def watch(self, chunks: Iterable[Sequence[Row]]) -> Iterator[Sequence[Row]]:
        """Yield the chunks unchanged; raise :class:`Stopped` when it is time to stop."""
        for chunk in chunks:
            if self.context.should_stop():
                raise Stopped
            yield chunk
            self.rows += len(chunk)
            self.context.progress(self.rows, None, "rows")


class Stopped(Exception):
    """The run was asked to stop: what was written so far is no export."""


def run(context: Context, parameters: ExportParameters) -> Result:
    """Write what the query selects to ``output``, or to the context's stream; asked to stop, it leaves no file.

    Raises the errors of ``exports.errors``, :class:`OqlError` for the query, :class:`AccessDenied`.
    """
    if parameters.with_archive:
        raise AccessDenied("with_archive=1: no class of this data model can be archived; leave it out")
    with context.database.read() as connection:
        query = find_query(context, connection, parameters)
        form, options = _format(context, parameters), _options(context, parameters)
        selection = select(context, connection, parameters, query)
        progressing = Progressing(context)
        with closing(selection.chunks(connection)) as chunks:
            pieces = form.write(selection.columns, progressing.watch(chunks), options)
            try:
                size = _write(pieces, parameters.output, context.output)
            except Stopped:
                summary = f"stopped after {progressing.rows} rows; export again for the whole"
                return Result(ConflictError.exit_code, summary, {"rows": progressing.rows}, unfinished=True)
    if query.saved is not None and context.rules.uses_counted:
        _count_use(context, query.saved)
    where = str(parameters.output or context.output_name)
    context.log.info("export_done", rows=progressing.rows, bytes=size, output=where)
    return Result(
        EXIT_DONE,
        f"{progressing.rows} rows, {size} bytes to {where}",
        {"rows": progressing.rows, "bytes": size},
        (parameters.output,) if parameters.output else (),
    )


def _count_use(context: Context, saved: int) -> None:
    """Count the use of a saved query; the export is done, whatever becomes of that."""
    if context.marks is None:
        context.log.info("use_not_counted", query=saved, reason="writing is closed")
        return
    now = to_itop(context.clock.now(), context.marks.timezone)
    try:
        with context.marks.write() as connection:
            count_use(context.marks, connection, saved, context.account.user_id, now)
    except DatabaseError as error:
        context.log.warning("use_not_counted", query=saved, reason=error.message)


def _write(pieces: Iterable[bytes], path: Path | None, stream: BinaryIO) -> int:
    if path is None:
        return _pour(pieces, stream)
    with published(path) as file:
        return _pour(pieces, file)


def _pour(pieces: Iterable[bytes], stream: BinaryIO) -> int:
    size = 0
    for piece in pieces:
        stream.write(piece)
        size += len(piece)
    return size


def _format(context: Context, parameters: ExportParameters) -> Format:
    """Return the format asked for: by name, else by the extension of the file."""
    extension = parameters.output.suffix.removeprefix(".") if parameters.output else ""
    default = "csv" if context.rules.own_formats else "html"
    name = parameters.format or (extension if extension in FORMATS else default)
    known = [key for key, form in FORMATS.items() if form.of_itop or context.rules.own_formats]
    if name not in known:
        raise BadFormat(f"format={name} cannot be written: give one of {', '.join(known)}")
    return FORMATS[name]


def _options(context: Context, parameters: ExportParameters) -> Options:
    codec_of(parameters.charset)  # refused before the first byte
    zone = context.database.timezone
    word = context.dictionary.word
    root = context.settings.app_root_url
    return Options(
        localize=not parameters.no_localize,
        words=Words(yes=word("boolean/yes"), no=word("boolean/no")),
        format_date=stored_writer(date_part(parameters.date_format), zone),
        format_datetime=stored_writer(parameters.date_format, zone),
        application_url=root if root.endswith("/") or not root else f"{root}/",
        separator=parameters.csv_separator,
        qualifier=parameters.csv_qualifier,
        charset=parameters.charset,
        byte_order_mark=parameters.bom,
        guard_formulas=parameters.guard_formulas,
    )


__all__ = ["Selection", "run"]
