"""Replays parameters files, parameters and filters, and placeholders of settings (``spec/params.md``)."""

from __future__ import annotations

import html
import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from itopd.errors import SettingsError
from itopd.php import expand_placeholders
from itopd.rules import ITOP
from itopd.settings import UnreadableParameterFile, parse_arguments, read_parameter_files, request_values
from itopd.settings.filters import Value
from itopd.settings.parameters import EVERYWHERE, Edge, Given, Parameter, read_parameter
from tests.golden.harness import DEFAULT_FOLDER, Vector, check_equal, replays

_MODEL = DEFAULT_FOLDER.parent / "reference" / "itop-3.2" / "model.json"


@replays("cron", lambda vector: vector.name.startswith("params-"))
def replay_params(vector: Vector) -> None:
    run, expect = vector.data["run"], vector.data["expect"]
    with _files(vector.data["given"].get("files", {})) as folder:
        edge, values = _caller(run)
        named = str(values.get("param_file", ""))
        error = None
        try:
            files = read_parameter_files(named, ITOP, folder if edge == "http" else None)
        except UnreadableParameterFile as problem:
            files, error = problem.loaded, problem.message
    # Sentences are ours; that there is an error, and the file it names, are iTop's.
    recorded = expect.get("error")
    check_equal("whether the files can be read", error is None, recorded is None)
    if error is not None and recorded is not None:
        file = html.unescape(recorded.split("'")[1])
        check_equal("file named in the error", f"'{file}'" in error, True)
    check_equal("values", dict(files.values), expect["values"] or {})  # recorded as null when no file was read
    check_equal("sources", {key: origin.where for key, origin in files.sources.items()}, expect["sources"])
    given = Given(values, edge, files)
    reads = [{"name": read["name"], "value": _read(read, given)} for read in run["reads"]]
    check_equal("reads", reads, expect["reads"])


@replays("cron", lambda vector: vector.name.startswith("filters-"))
def replay_filters(vector: Vector) -> None:
    for case in vector.data["expect"]["cases"]:
        values, _ = parse_arguments([f"--v={case['input']}"])
        for name, recorded in case.items():
            if name == "input":
                continue
            read = {"name": "v", "default": "DFLT", "cli": True, "filter": name}
            try:
                actual: object = _read(read, Given(values, "cli"))
            except SettingsError:
                actual = {"error": "told"}
            expected = {"error": "told"} if isinstance(recorded, dict) else recorded
            check_equal(f"filter {name} of {case['input']!r}", actual, expected)


@replays("cron", lambda vector: vector.name.startswith("config-placeholders"))
def replay_placeholders(vector: Vector) -> None:
    for case in vector.data["expect"]["cases"]:
        try:
            actual: object = expand_placeholders(case["raw"], case["env"], case["server"])
        except SettingsError:
            actual = "error"
        check_equal(f"value of {case['raw']!r}", actual, "error" if "error" in case else case["value"])


def _caller(run: Mapping[str, Any]) -> tuple[Edge, Mapping[str, Value]]:
    """Return at which edge the vector's parameters come in, and what was given there."""
    if run["mode"] == "http":
        return "http", request_values(run.get("get", ()), run.get("post", ()))
    return "cli", parse_arguments(run["argv"])[0]


def _read(read: Mapping[str, Any], given: Given) -> object:
    """Read one parameter as iTop's services do: "cli" is whether arguments count."""
    where = EVERYWHERE if read["cli"] else EVERYWHERE - {"cli"}
    one = Parameter(read["name"], read["name"], read["default"], filter=read["filter"], where=where)
    return read_parameter(one, given, ITOP, lambda name: name in _classes(), [])[0]


@contextmanager
def _files(texts: Mapping[str, str]) -> Iterator[Path]:
    """Make a vector's parameters files in a folder and go there: their paths are relative."""
    before = Path.cwd()
    with tempfile.TemporaryDirectory() as folder:
        for name, text in texts.items():
            (Path(folder) / name).write_bytes(text.encode("utf-8"))
        os.chdir(folder)
        try:
            yield Path(folder)
        finally:
            os.chdir(before)


@cache
def _classes() -> frozenset[str]:
    return frozenset(json.loads(_MODEL.read_text(encoding="utf-8")))
