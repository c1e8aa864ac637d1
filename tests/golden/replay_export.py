"""Replays exports through the command line: texts as recorded, kinds of errors, exit codes."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from itopd.attributes import html_to_text
from itopd.cli import services
from itopd.cli.exit_codes import itop_exit_code
from itopd.database import Database
from itopd.errors import AccessDenied, ItopdError, OqlError
from itopd.exports import SERVICE
from tests.golden.harness import Difference, Vector, check_equal, instead, replays
from tests.golden.sample import golden_sample, run_step
from tests.support.dictionaries import write_dictionaries

APP_ROOT = "https://itop.example.com/"
_FORMATS = frozenset({"csv", "json", ""})


def _accepts(vector: Vector) -> bool:
    run = vector.data.get("run", {})
    is_ours = run.get("service") == "export-v2" and run.get("via") == "cli"
    return is_ours and (run["params"].get("format", "") in _FORMATS or vector.data["expect"]["compare"] == "error")


@replays("export", _accepts)
def replay(vector: Vector) -> None:
    """Run the export and compare what came out."""
    expect = vector.data["expect"]
    outcome = _run(vector)
    if expect["compare"] == "error":
        check_equal("kind of error", _kind(outcome.error), expect["error"]["kind"])
    elif outcome.error is not None:
        raise Difference(f"refused: {outcome.error.message}")
    else:
        check_equal("output", _text(outcome.output, expect), expect["output"])
    check_equal("exit code", outcome.exit_code, expect["exit_code"])


@instead("export/export-csv-charset-latin1")
def transliterates_before_quoting(vector: Vector) -> None:
    """Quotes that come of characters are doubled like any other."""
    recorded = vector.data["expect"]["output"]
    text = _output(vector).decode("iso-8859-1")
    check_equal("output", text, recorded.replace('"naïve EUR "quotes" ??"', '"naïve EUR ""quotes"" ??"'))


@instead("export/export-csv-charset-unknown")
def refuses_unknown_charsets(vector: Vector) -> None:
    """An unknown character set is an error, not an empty file."""
    check_equal("kind of error", _kind(_run(vector).error), "bad_charset")


@instead("export/export-csv-orphans")
def keeps_orphans(vector: Vector) -> None:
    """A dangling key hides no row."""
    check_equal("output", _output(vector).decode(), '"Last Name","Organization"\n"Dangling",777\n"Orphan",0\n')


@instead("export/export-csv-secrets")
def masks_secrets(vector: Vector) -> None:
    """Passwords are stars in every format."""
    text = _output(vector).decode()
    recorded = vector.data["expect"]["output"]
    check_equal("output", text, recorded.replace('"s3cr""et"', '"*****"'))


@instead("export/export-error-multiline-cli")
def accepts_line_breaks(vector: Vector) -> None:
    """A query may have several lines."""
    check_equal("output", _output(vector).decode(), '"Last Name"\n"Monet"\n')


class Outcome:
    """What one call left."""

    def __init__(self, exit_code: int, output: bytes, error: ItopdError | None = None) -> None:
        self.exit_code = exit_code
        self.output = output
        self.error = error


def _output(vector: Vector) -> bytes:
    outcome = _run(vector)
    if outcome.error is not None:
        raise Difference(f"refused: {outcome.error.message}")
    return outcome.output


def _run(vector: Vector) -> Outcome:
    run = vector.data["run"]
    with tempfile.TemporaryDirectory() as name, _given(vector, Path(name)) as database:
        folder = Path(name)
        config = folder / "itopd.params"
        config.write_text(
            f'database_url := "{database.engine.url.render_as_string(hide_password=False)}"\n'
            f'state_url := "sqlite:///{folder}/state.sqlite"\ndata_folder = {folder}\ncompat = itop\n'
            f"app_root_url = {APP_ROOT}\ntimezone = Europe/Paris\nitop_root = {folder / 'itop'}\n"
        )
        write_dictionaries(folder / "itop")
        words = [f"--{key}={value}" for key, value in run["params"].items()]
        if "user" in run:
            password = run.get("password", "admin" if run["user"] == "admin" else "Golden#2024")
            words += [f"--auth_user={run['user']}", f"--auth_pwd={password}"]
        if "param_file" in run:
            (folder / "given.params").write_text(run["param_file"])
            words.append(f"--param_file={folder / 'given.params'}")
        written = io.BytesIO()
        output = io.TextIOWrapper(written, write_through=True)
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(io.StringIO()):
            try:
                code = services.perform(
                    SERVICE, services.read_call(SERVICE, services.read_start(str(config), words)), words
                )
            except ItopdError as error:
                return Outcome(itop_exit_code(SERVICE.name, error), b"", error)
        return Outcome(code, written.getvalue())


@contextmanager
def _given(vector: Vector, folder: Path) -> Iterator[Database]:
    with golden_sample(folder) as database:
        with database.write() as connection:
            for step in vector.data.get("given", ()):
                run_step(connection, step)
        yield database


def _kind(error: ItopdError | None) -> str:
    if error is None:
        return "none"
    if isinstance(error, AccessDenied):
        return "access_denied"
    if isinstance(error, OqlError):
        return "bad_query"
    return "missing_parameter" if "Missing" in error.message else error.kind


def _text(output: bytes, expect: dict[str, Any]) -> str:
    text = output.decode(expect.get("encoding", "utf-8"))
    return text.replace(APP_ROOT, "{APP_ROOT}/")


@replays("export", lambda vector: vector.data.get("run", {}).get("service") == "html-to-text")
def replay_html_to_text(vector: Vector) -> None:
    """Compare the plain text made of a fragment."""
    check_equal("text", html_to_text(vector.data["run"]["input"]), vector.data["expect"]["output"])
