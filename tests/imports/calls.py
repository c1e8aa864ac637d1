"""Importing in a test: a context around a database, one call, and what came of it."""

from __future__ import annotations

import io
import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from itopd.access import Account
from itopd.clock import Clock, SystemClock
from itopd.database import Database
from itopd.dictionary import bundled_dictionary
from itopd.imports import SERVICE
from itopd.imports.parameters import Parameters
from itopd.rules import ITOPD, Rules
from itopd.service import Context, Progress, Result
from itopd.settings import Settings
from itopd.wiring import Application

ADMIN = Account("admin", 1, 0, "My first name My last name", "EN US", {1: "Administrator"})


@dataclass(frozen=True)
class Imported:
    """What one import left."""

    result: Result
    output: str
    report: dict[str, Any]

    @property
    def outcomes(self) -> list[str]:
        """Return the outcome of each row."""
        return [row["outcome"] for row in self.report["rows"]]

    @property
    def problems(self) -> list[tuple[int, str | None, str]]:
        """Return row, column and kind of every problem."""
        return [(row["row"], p["column"], p["kind"]) for row in self.report["rows"] for p in row.get("problems", ())]


def make_context(
    database: Database,
    *,
    rules: Rules = ITOPD,
    account: Account = ADMIN,
    clock: Clock | None = None,
    settings: Settings | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    progress: Progress = lambda *_: None,
) -> Context:
    """Return a context whose output is kept in memory."""
    dictionary = bundled_dictionary(database.model)
    application = Application(settings or Settings(), rules, clock or SystemClock(), database, dictionary)
    return application.context(account, output=io.BytesIO(), progress=progress, run_id="test", should_stop=should_stop)


def import_rows(context: Context, cls: str, data: str | bytes, **parameters: Any) -> Imported:
    """Import CSV data, by codes unless told otherwise."""
    with tempfile.TemporaryDirectory() as folder:
        csvfile, report = Path(folder) / "input.csv", Path(folder) / "report.json"
        csvfile.write_bytes(data.encode() if isinstance(data, str) else data)
        given = {"no_localize": "1", "report": str(report), **parameters}
        result = SERVICE.run(context, Parameters(class_=cls, csvfile=str(csvfile), **given))
        assert isinstance(context.output, io.BytesIO)
        output = context.output.getvalue().decode()
        return Imported(result, output, json.loads(report.read_text(encoding="utf-8")) if report.exists() else {})
