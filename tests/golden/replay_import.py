"""Replays imports on copies of the SQLite sample: counters, rows, the text report, and what changed in the database.

Sentences are compared by kind, with the names and numbers in them (``golden/README.md``, *Wording*): both sides are
turned into the same tokens, the recorded ones by the patterns of iTop's texts, ours by ours.
"""

from __future__ import annotations

import base64
import io
import json
import re
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import chdir, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from itopd.cli.exit_codes import itop_exit_code
from itopd.clock import SystemClock
from itopd.database import Database
from itopd.dictionary import Dictionary, bundled_dictionary
from itopd.errors import ItopdError
from itopd.imports import SERVICE
from itopd.rules import ITOP
from itopd.settings import Settings, parse_arguments, read_parameter_files, resolve_parameters
from itopd.wiring import Application, writer_of
from tests.golden.accounts import give_accounts
from tests.golden.dbdiff import compare, given_ids
from tests.golden.harness import Difference, Vector, check_equal, instead, replays
from tests.golden.sample import golden_sample
from tests.support.dictionaries import LANGUAGES, reference_entries
from tests.support.dumps import Tables, dump_tables

Json = dict[str, Any]

CREDENTIALS: Final = {"auth_user", "auth_pwd"}


@dataclass(frozen=True)
class Ended:
    """How a call ended."""

    output: list[str]
    """Lines of standard output; of an error its message."""
    exit_code: int
    rows: list[Json]
    """Of the JSON report."""
    counters: Mapping[str, int]
    error: ItopdError | None = None


@dataclass(frozen=True)
class Replayed:
    """A vector that was run, with the database around it."""

    ended: Ended
    database: Database
    before: Tables
    after: Tables
    ids: dict[str, int]


@contextmanager
def run_vector(vector: Vector) -> Iterator[Replayed]:
    """Prepare what is given and make the recorded call, in a folder of its own."""
    with tempfile.TemporaryDirectory() as name, chdir(name), golden_sample(Path(name)) as database:
        start = dump_tables(database)
        for step in vector.data["given"]:
            _give(database, step)
        before = dump_tables(database) if vector.data["given"] else start
        ended = _call(database, vector.data["run"])
        yield Replayed(ended, database, before, dump_tables(database), given_ids(database, start, before))


def _give(database: Database, step: Json) -> None:
    if "file" in step:
        file = step["file"]
        data = base64.b64decode(file["base64"]) if "base64" in file else file["text"].encode()
        Path(file["name"]).write_bytes(data)
    elif "import" in step:
        given = step["import"]
        if given["class"] == "UserLocal":
            give_accounts(database, writer_of(database, ITOP, SystemClock()), given["csv"])
            return
        params = {"class": given["class"], "charset": "UTF-8", "no_localize": "1", **given.get("params", {})}
        run = {"user": "admin", "password": "admin", "params": params, "csv": given["csv"]}
        ended = _call(database, run)
        if ended.error is not None or ended.counters.get("issues", 1):
            raise Difference(f"the set-up {params['class']} cannot be imported: {' / '.join(ended.output)}")
    else:
        raise Difference(f"the set-up {sorted(step)} is not replayed here")


def _call(database: Database, run: Json) -> Ended:
    """Call the service as the command line does, with iTop's rules."""
    arguments = dict(run["params"])
    if run.get("user") is not None:
        arguments |= {"auth_user": run["user"], "auth_pwd": run["password"]}
    if "csv" in run or "csv_base64" in run:
        Path("input.csv").write_bytes(
            base64.b64decode(run["csv_base64"]) if "csv_base64" in run else run["csv"].encode()
        )
        arguments["csvfile"] = "input.csv"
    output = io.BytesIO()
    report = Path("report.json")
    report.unlink(missing_ok=True)
    try:
        result = _run(database, [f"--{name}={value}" for name, value in arguments.items()], output, report)
    except ItopdError as error:
        return Ended([error.message], itop_exit_code("import", error), [], {}, error)
    lines = output.getvalue().decode().removesuffix("\n").split("\n")
    rows = json.loads(report.read_text(encoding="utf-8"))["rows"] if report.exists() else []
    return Ended(lines, result.exit_code, rows, result.counters)


def _run(database: Database, words: Sequence[str], output: io.BytesIO, report: Path) -> Any:
    given = parse_arguments(words)[0]
    files = read_parameter_files(str(given.get("param_file", "")), ITOP)
    parameters = resolve_parameters(SERVICE.parameters, words, files, ITOP, other_known=CREDENTIALS).values
    login, password = (str(given.get(name) or files.values.get(name, "")) for name in sorted(CREDENTIALS, reverse=True))
    application = Application(Settings(), ITOP, SystemClock(), database, _dictionary(database))
    context = application.context(
        application.account(login, password), output=output, progress=lambda *_: None, run_id="golden"
    )
    return SERVICE.run(context, parameters.model_copy(update={"report": str(report)}))


def _dictionary(database: Database) -> Dictionary:
    """Return the labels as an iTop with French and German dictionaries has them."""
    texts = {name: reference_entries(name) for name in LANGUAGES}
    return bundled_dictionary(database.model).with_texts(texts)


# --- sentences to tokens ----------------------------------------------------------------------------------------------

Patterns = Sequence[tuple[re.Pattern[str], str]]


def _patterns(*pairs: tuple[str, str]) -> Patterns:
    return [(re.compile(pattern, re.DOTALL), token) for pattern, token in pairs]


_REFUSALS_RECORDED = _patterns(
    (r"#Missing data.*", "<no data>"),
    (r"#Unknown class: '(.*?)'.*", r"<class \1>"),
    (r"#Separator is limited to one character, found '(.*?)'.*", r"<separator \1>"),
    (r"#Text qualifier is limited to one character, found '(.*?)'.*", r"<qualifier \1>"),
    (r"#Unknown output format: '(.*?)'.*", r"<output \1>"),
    (r"#Unknown column: '\ufeff?(.*?)'.*", r"<column \1>"),
    (r"#Unknown reconciliation key: '(.*?)'.*", r"<key \1>"),
    (r"#Reconciliation key not found in the input columns: '(.*?)'.*", r"<absent key \1>"),
    (r"#No reconciliation scheme could be defined.*class: '(.*?)', reconciliation:(.*?)\).*", r"<no keys \1 \2>"),
    (r"#You are not allowed to perform a bulk update of objects of class (\w+).*", r"<not allowed \1>"),
    (r"#Warning: (Input column|Reconciliation key) '(.*?)' is ambiguous.* used: (\w+)", r"<ambiguous \1 \2 \3>"),
    (r"ERROR: Missing argument '(.*?)'.*", r"<missing \1>"),
    (r"Access restricted or wrong credentials \('(.*?)'\)", r"<credentials \1>"),
    (r"(?:Input file|Error: Could not find the parameter file).*'(.*?)'.*", r"<no file \1>"),
)
_REFUSALS_OURS = _patterns(
    (r"#Missing data.*", "<no data>"),
    (r"#unknown class '(.*?)'.*", r"<class \1>"),
    (r"#Separator is limited to one character, found '(.*?)'.*", r"<separator \1>"),
    (r"#Text qualifier is limited to one character, found '(.*?)'.*", r"<qualifier \1>"),
    (r"#Unknown output format: '(.*?)'.*", r"<output \1>"),
    (r"#Unknown column: '(.*?)'.*", r"<column \1>"),
    (r"#Unknown reconciliation key: '(.*?)'.*", r"<key \1>"),
    (r"#Reconciliation key not found in the input columns: '(.*?)'.*", r"<absent key \1>"),
    (r"#No reconciliation scheme could be defined.*class '(.*?)' declares \((.*?)\).*", r"<no keys \1 \2>"),
    (r"#You are not allowed to perform a bulk update of objects of class (\w+).*", r"<not allowed \1>"),
    (r"#Warning: (Input column|Reconciliation key) '(.*?)' is ambiguous.*; (\w+) is used", r"<ambiguous \1 \2 \3>"),
    (r"Missing argument '(.*?)'.*", r"<missing \1>"),
    (r"wrong login or password for '(.*?)'.*", r"<credentials \1>"),
    (r"(?:Input file|Could not find the parameter file).*?'(.*?)'.*", r"<no file \1>"),
)

_STATUS_RECORDED = _patterns(
    (r"Issue: Unexpected attribute value\(s\)", "Issue: <attribute>"),
    (r"Erreur: Des attributs ont des valeurs incorrectes", "Erreur: <attribute>"),
    (r"Issue: wrong date format", "Issue: <date_format>"),
    (r"Issue: failed to reconcile", "Issue: <reconciliation>"),
    (r"Issue: ambiguous reconciliation", "Issue: <ambiguous>"),
    (r"Issue: Could not be created, due to missing external key\(s\): (.*)", r"Issue: <missing_ext_key \1>"),
    (r"Issue: [^<].*", "Issue: <not written>"),
)
_STATUS_OURS = _patterns(
    (r"(Issue|Erreur): some cells cannot be taken", r"\1: <attribute>"),
    (r"Issue: a date does not follow date_format", "Issue: <date_format>"),
    (r"Issue: the object cannot be looked up.*", "Issue: <reconciliation>"),
    (r"Issue: \d+ objects match.*", "Issue: <ambiguous>"),
    (r"Issue: cannot be created without a column for: (.*)", r"Issue: <missing_ext_key \1>"),
    (r"Issue: [^<].*", "Issue: <not written>"),
)

_CELLS_RECORDED = _patterns(
    (r"is an invalid value\. ", "<bad> "),
    (r"Unexpected value for attribute '(\w+)': Null not allowed", "<null>"),
    (r"Unexpected value for attribute '(\w+)': Wrong format \[(.*?)\]", r"<format [\2]>"),
    (r"Unexpected value for attribute '(\w+)': Value not allowed \[(.*?)\]", r"<not allowed [\2]>"),
    (
        r"Unexpected value for attribute '(\w+)': String too long \(found (\d+), limited to (\d+)\)",
        r"<too long \2 \3>",
    ),
    (r"Unexpected value for attribute '(\w+)': no match found, check spelling", "<no match>"),
    (r"Allowed '\w+' value\(s\): (.*?)(?=;|$)", "<label>"),
    (r"Expected format: ", "<expected> "),
    (
        r"The attribute '(\w+)' is read-only and cannot be modified \(current value: (.*?), proposed value: (.*?)\)",
        r"<read only \1 \2 \3>",
    ),
    (
        r"No match for value '(.*?)'\. Some possible '(.*?)' value\(s\): (.*?)(?=;|$)",
        r"<no object \1 of \2 in \3>",
    ),
    (
        r"Pas de correspondance avec '(.*?)'\. Valeur\(s\) possible\(s\) pour l'objet '(.*?)' : (.*?)(?=;|$)",
        r"<no object \1 of \2 in \3>",
    ),
    (
        r"There are some '(.*?)' objects not visible with your current profile\. Some .*? value\(s\): (.*?)(?=;|$)",
        r"<unseen of \1 in \2>",
    ),
    (r"Invalid value for attribute\. Null not allowed", "<key null>"),
    (r"Invalid value for attribute\. Missing mandatory value", "<key missing>"),
    (r"Invalid value for attribute\. Ambiguous: found (\d+) objects", r"<key ambiguous \1>"),
    (r"n/a;Invalid value for attribute", "n/a;<several>"),
)
_CELLS_OURS = _patterns(
    (r"cannot be taken: ", "<bad> "),
    (r"it must not be empty(?=;|$)", "<null>"),
    (r"wrong format \[(.*?)\], expected [^;]*", r"<format [\1]>"),
    (r"value not allowed \[(.*?)\](, allowed: [^;]*)?", r"<not allowed [\1]>"),
    (r"text too long \(found (\d+) characters, limited to (\d+)\)", r"<too long \1 \2>"),
    (r"no match(?: found)? for \[.*?\], [^;]*", "<no match>"),
    (r"'\w+' is one of the labels [^;]*", "<label>"),
    (r"write it like ", "<expected> "),
    (
        r"attribute '(\w+)' is read-only here and stays as it is \(current value: (.*?), given: (.*?)\)",
        r"<read only \1 \2 \3>",
    ),
    (r"nothing matches '(.*?)', some of '(.*?)' there are: (.*?)(?=;|$)", r"<no object \1 of \2 in \3>"),
    (
        r"nothing that this account sees matches '.*?', it does not see all of '(.*?)', some .*?: (.*?)(?=;|$)",
        r"<unseen of \1 in \2>",
    ),
    (r"no key: <null>", "<key null>"),
    (r"no key: a key to look the object up by must not be empty", "<key missing>"),
    (r"no key: ambiguous, found (\d+) objects", r"<key ambiguous \1>"),
    (r"n/a;ambiguous", "n/a;<several>"),
)
_PLACES: Final = {"{new}": r"\d+", "{id}": r"-?\d+", "{now}": r"[0-9: -]+", "{today}": r"\d{4}-\d\d-\d\d"}


def _tokens(text: str, patterns: Patterns, *, whole: bool) -> str:
    for pattern, token in patterns:
        if whole:
            match = pattern.fullmatch(text)
            if match:
                return match.expand(token)
        else:
            text = pattern.sub(token, text)
    return text


def _line(text: str, *, ours: bool) -> str:
    """Return a line of the report with its sentences as tokens."""
    refusals, statuses, cells = (
        (_REFUSALS_OURS, _STATUS_OURS, _CELLS_OURS) if ours else (_REFUSALS_RECORDED, _STATUS_RECORDED, _CELLS_RECORDED)
    )
    line = _tokens(text, refusals, whole=True)
    found = re.fullmatch(r"(\d+;)([^;]*)(;.*)", line, re.DOTALL)
    if found is None:
        return line
    status, rest = _tokens(found[2], statuses, whole=True), _tokens(found[3], cells, whole=False)
    return found[1] + status + re.sub(r"(\[\d+)\.0+\]", r"\1]", rest)


def _check_output(actual: list[str], recorded: list[str]) -> None:
    lines = iter(actual)
    for number, want in enumerate(recorded, 1):
        if want == "…":
            return
        got = "\n".join(next(lines, "<end of the report>") for _ in range(want.count("\n") + 1))
        expected = _line(want.replace("…", ""), ours=False)
        found = _line(got, ours=True)
        pattern = "".join(_PLACES.get(part, re.escape(part)) for part in re.split(r"(\{\w+\})", expected))
        if not re.fullmatch(pattern, found, re.DOTALL):
            raise Difference(f"line {number} of the report is {found!r}, recorded {expected!r}")
    check_equal("lines after the report", list(lines), [])


def _check_rows(actual: list[Json], recorded: list[Json]) -> None:
    check_equal("number of rows", len(actual), len(recorded))
    by_line = {row["row"]: row for row in actual}
    for want in recorded:
        got = by_line[want["line"]]
        where = f"row {want['line']}"
        check_equal(f"outcome of {where}", got["outcome"], want["outcome"])
        check_equal(f"class of {where}", got["class"] or "n/a", want["class"])
        if want["id"] == "{new}":
            check_equal(f"{where} has an id", bool(got["id"]), True)
        elif want["id"].isdigit():
            check_equal(f"id of {where}", str(got["id"]), want["id"])
        status = _tokens(got["status"], _STATUS_OURS, whole=True)
        check_equal(f"status of {where}", status, _tokens(want["status"], _STATUS_RECORDED, whole=True))


# --- replayers --------------------------------------------------------------------------------------------------------


def _is_import(vector: Vector) -> bool:
    data = vector.data
    return (
        data.get("kind") == "import" and data["run"]["mode"] == "cli" and not any("object" in g for g in data["given"])
    )


@replays("csv", _is_import)
def replay(vector: Vector) -> None:
    """Compare everything that is recorded."""
    expect = vector.data["expect"]
    with run_vector(vector) as replayed:
        ended = replayed.ended
        _check_counters(ended, expect)
        _check_output(ended.output, expect["output"])
        if "rows" in expect:
            _check_rows(ended.rows, expect["rows"])
        check_equal("exit code", ended.exit_code, expect["exit_code"])
        compare(replayed.database, replayed.before, replayed.after, expect["db"], replayed.ids)


def _check_counters(ended: Ended, expect: Json) -> None:
    if "counters" in expect:
        said = " / ".join(ended.output) if not ended.counters else ""
        check_equal(f"counters {said}".strip(), dict(ended.counters), expect["counters"])


@instead("csv/import-missing-cells-details", "csv/import-null-marker-details", "csv/import-header-blank-first")
def replay_what_was_written(vector: Vector) -> None:
    """Write what iTop writes, and finish the report; the header itself is no data."""
    expect = vector.data["expect"]
    counters = {**expect["counters"], "issues": 0}
    with run_vector(vector) as replayed:
        check_equal("counters", dict(replayed.ended.counters), counters)
        check_equal("number of rows", len(replayed.ended.rows), 1)
        compare(replayed.database, replayed.before, replayed.after, expect["db"], replayed.ids)


@instead("csv/import-blank-file", "csv/import-charset-unknown")
def replay_refused(vector: Vector) -> None:
    """Refuse the request in one line; nothing is written."""
    word = {"import-blank-file": "#Missing data", "import-charset-unknown": "#unknown charset 'KLINGON'"}[vector.name]
    _check_refusal(vector, word)


@instead("csv/import-stopwatch-column")
def replay_stop_watch(vector: Vector) -> None:
    """Refuse the column before any row is read; the ticket of the set-up makes no difference."""
    bare = Vector(vector.area, vector.id, {**vector.data, "given": []})
    _check_refusal(bare, "#Column 'ttr' cannot be imported: stop watch")


def _check_refusal(vector: Vector, start: str) -> None:
    with run_vector(vector) as replayed:
        said = replayed.ended.output[-1]
        if not said.startswith(start):
            raise Difference(f"the last line is {said!r}, it should start with {start!r}")
        compare(replayed.database, replayed.before, replayed.after, {}, replayed.ids)


@instead("csv/import-create-abstract")
def replay_abstract(vector: Vector) -> None:
    """Refuse the row: nothing can be created through an abstract class."""
    _check_one_issue(vector, "Cannot create an object of the abstract class Contact")


@instead("csv/import-simulate-hides-checks")
def replay_checked_simulation(vector: Vector) -> None:
    """Check in a simulation what a real import checks: the mandatory status is empty."""
    _check_one_issue(vector, "status")


def _check_one_issue(vector: Vector, word: str) -> None:
    with run_vector(vector) as replayed:
        check_equal("counters", {k: v for k, v in replayed.ended.counters.items() if v}, {"issues": 1})
        if word not in replayed.ended.rows[0]["status"]:
            raise Difference(f"the status {replayed.ended.rows[0]['status']!r} does not name {word!r}")
        compare(replayed.database, replayed.before, replayed.after, {}, replayed.ids)


@instead("csv/import-simulate-not-one")
def replay_simulate_true(vector: Vector) -> None:
    """Take ``true`` for a yes: the row is announced with id 0, nothing is written."""
    with run_vector(vector) as replayed:
        check_equal("counters", {k: v for k, v in replayed.ended.counters.items() if v}, {"created": 1})
        _check_rows(replayed.ended.rows, [{**vector.data["expect"]["rows"][0], "id": "0"}])
        compare(replayed.database, replayed.before, replayed.after, {}, replayed.ids)


@instead("csv/import-hierarchy-cache")
def replay_hierarchy(vector: Vector) -> None:
    """Find a parent that an earlier row created, although an even earlier row looked for it in vain."""
    with run_vector(vector) as replayed:
        outcomes = [row["outcome"] for row in replayed.ended.rows]
        check_equal("outcomes", outcomes, ["issue", "created", "created"])
        parent, son = replayed.ended.rows[1]["id"], replayed.ended.rows[2]["id"]
        check_equal("parent of the third row", replayed.after["organization"][son]["parent_id"], parent)
