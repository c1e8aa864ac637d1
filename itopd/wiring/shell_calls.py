"""Which of iTop's scripts a shell command calls, with which arguments, from where, and where its output goes.

No shell: the forms that crontabs are written in are recognised (``cd x && php ...``, ``su -c``, ``sudo -u``,
``flock``, ``timeout``, redirections, ``| gzip``), the rest is named as a remark and left to people.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Final

SCRIPTS: Final = {
    "cron.php": "cron",
    "import.php": "import",
    "export.php": "export",
    "export-v2.php": "export",
    "synchro_import.php": "synchro_import",
    "synchro_exec.php": "synchro_exec",
}
DATE, DATETIME = "\ue000", "\ue001"
"""Stand in the path of an output for the date, and the date and time, of the run."""

_PHP = re.compile(r"php[0-9.]*(?:-cli|-cgi)?")
_DATE = re.compile(r"""(?:\$\(|`)\s*(?:\S*/)?date\s+\+?["']?\+?(?P<form>[^`)"']*)["']?\s*[)`]""")
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_ASSIGNMENT = re.compile(r"(\w+)=(.*)", re.DOTALL)
_ENDS = frozenset({"&&", "||", ";", "|", "&", "|&", ";;", "(", ")"})
_REDIRECTIONS = frozenset({">", ">>", "&>", "&>>", ">&", ">|", "<"})
_DURATION = re.compile(r"(\d+)(?:\.\d+)?([smhd]?)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_WITH_VALUE = {
    "sudo": "ugpCDhrtTR",
    "runuser": "ugGsw",
    "su": "sgGw",
    "flock": "wEc",
    "nice": "n",
    "ionice": "cnp",
    "timeout": "ks",
    "env": "uSC",
    "php": "cdfz",
}
"""Options, of one letter, of the programs around the script that take a value."""
_PLAIN_WRAPPERS = frozenset({"nice", "ionice", "nohup", "setsid", "chronic", "exec", "time", "command", "env", "sudo"})
_SHELLS = frozenset({"sh", "bash", "dash", "ksh", "zsh"})
_DEEPEST = 5


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """One call of one of iTop's scripts."""

    script: str
    """``import.php``."""
    arguments: tuple[str, ...]
    folder: str = ""
    """Where the shell is when it calls it; empty: unknown."""
    output: str = ""
    """Where its standard output goes; empty: nowhere, or to cron's mail."""
    max_seconds: int | None = None
    account: str = ""
    """Whom ``sudo`` or ``su`` name."""
    remarks: tuple[str, ...] = ()
    """What could not be translated."""


@dataclass(slots=True)
class _Words:
    """A simple command, and what stands around it."""

    words: list[str] = field(default_factory=list)
    output: str = ""
    appends: bool = False
    end: str = ""
    """What ends it: ``&&``, ``|``, ..."""


def script_calls(command: str, environment: Mapping[str, str], depth: int = 0) -> list[ScriptCall]:
    """Return the calls of iTop's scripts in a shell command, in order. Raises ``ValueError`` for open quotes."""
    simple = _simple_commands(command, environment)
    calls: list[ScriptCall] = []
    folder = environment.get("HOME", "")
    for number, one in enumerate(simple):
        if one.words[:1] == ["cd"] and len(one.words) > 1:
            folder = _joined(folder, one.words[1])
            continue
        found = _unwrapped(one.words, ScriptCall("", (), folder), environment, depth)
        for call in found:
            after = simple[number + 1] if one.end == "|" and number + 1 < len(simple) else None
            calls.append(_with_output(call, one, after))
    return calls


def _simple_commands(command: str, environment: Mapping[str, str]) -> list[_Words]:
    command = _DATE.sub(_placeholder, command)
    lexer = shlex.shlex(command, posix=True, punctuation_chars=True)
    lexer.whitespace_split, lexer.commenters = True, ""
    words = [_expanded(word, environment) for word in lexer]
    found = [_Words()]
    position = 0
    while position < len(words) and not words[position].startswith("#"):
        word, following = words[position], words[position + 1] if position + 1 < len(words) else ""
        one = found[-1]
        position += 1
        if word in _ENDS:
            one.end = word
            found.append(_Words())
        elif word in _REDIRECTIONS:
            position += 1
            stream = one.words.pop() if one.words and _is_stream(command, one.words[-1]) else ""
            if word != "<" and stream in {"", "1"} and not (word == ">&" and following.isdigit()):
                one.output, one.appends = following, word.endswith(">>")
        else:
            one.words.append(word)
    return [one for one in found if one.words]


def _is_stream(command: str, word: str) -> bool:
    """Return whether a number belongs to the redirection after it: ``2>x``, not ``2 > x``."""
    return word.isdigit() and re.search(rf"(?:^|\s){word}[<>]", command) is not None


def _placeholder(found: re.Match[str]) -> str:
    form = found["form"].strip()
    return DATETIME if any(letter in form for letter in ("%H", "%T", "%s", "%R", "%M")) else DATE


def _expanded(token: str, environment: Mapping[str, str]) -> str:
    return _VARIABLE.sub(lambda name: environment.get(name[1] or name[2], name[0]), token)


def _unwrapped(words: Sequence[str], call: ScriptCall, environment: Mapping[str, str], depth: int) -> list[ScriptCall]:
    """Take off what stands around the script, program by program."""
    words = list(words)
    while len(words) > 0:
        program = PurePosixPath(words[0]).name
        if _ASSIGNMENT.fullmatch(words[0]):
            words.pop(0)
        elif program in SCRIPTS:
            return [replace(call, script=program, arguments=tuple(words[1:]))]
        elif _PHP.fullmatch(program):
            _drop_options(words, "php")
            if not words or PurePosixPath(words[0]).name not in SCRIPTS:
                return []
        elif program in _SHELLS or program in {"su", "runuser", "flock"}:
            return _inner(program, words, call, environment, depth)
        elif program == "timeout":
            _drop_options(words, program)
            duration = _DURATION.fullmatch(words.pop(0)) if words else None
            if duration is not None:
                call = replace(call, max_seconds=max(1, int(duration[1]) * _UNITS[duration[2]]))
        elif program in _PLAIN_WRAPPERS:
            options = _drop_options(words, program)
            call = replace(call, account=options.get("u", call.account) if program == "sudo" else call.account)
        elif program in {"curl", "wget"} and (script := _script_in(words)):
            remark = f"it calls {script} over HTTP with {program}; write a job with the same parameters by hand"
            return [replace(call, script=script, remarks=(remark,))]
        else:
            return []
    return []


def _inner(
    program: str, words: list[str], call: ScriptCall, environment: Mapping[str, str], depth: int
) -> list[ScriptCall]:
    """Return the calls of a program that is handed a command: ``su -c "..."``, ``flock FILE command``."""
    options = _drop_options(words, program, also="c")
    account = options.get("u", "")
    if program == "flock" and words:
        words.pop(0)
        options |= _drop_options([program, *words], program, also="c")
    if program == "su":
        account = next((word for word in words if not word.startswith("-")), "root")
        options |= {"c": words[words.index("-c") + 1]} if "-c" in words[:-1] else {}
    call = replace(call, account=account or call.account)
    text = options.get("c")
    if text is None:
        return _unwrapped(words, call, environment, depth) if program in {"flock", "runuser"} else []
    if depth >= _DEEPEST:
        return []
    inner = script_calls(text, {**environment, "HOME": call.folder}, depth + 1)
    return [
        replace(
            one,
            account=one.account or call.account,
            max_seconds=one.max_seconds if one.max_seconds is not None else call.max_seconds,
        )
        for one in inner
    ]


def _drop_options(words: list[str], program: str, also: str = "") -> dict[str, str]:
    """Remove a program and its options from the front; return the values of options of one letter."""
    words.pop(0)
    with_value, values = _WITH_VALUE.get(program, "") + also, {}
    while words and words[0].startswith("-") and words[0] != "-":
        option = words.pop(0)
        if option == "--":
            break
        if option.startswith("--"):
            name, equals, value = option[2:].partition("=")
            if not equals and name in {"user", "command", "wait", "timeout", "kill-after", "signal"} and words:
                value = words.pop(0)
            values[name[0]] = value
            continue
        letter = option[-1]
        if len(option) > 2 and option[1] in with_value:
            values[option[1]] = option[2:]
        elif letter in with_value and words:
            values[letter] = words.pop(0)
            if program == "php" and letter == "f":
                words.insert(0, values[letter])
                break
    while words and words[0] == "-":
        words.pop(0)
    return values


def _with_output(call: ScriptCall, one: _Words, after: _Words | None) -> ScriptCall:
    """Return a call with what becomes of its output."""
    remarks, output, appends = list(call.remarks), call.output or one.output, one.appends
    if after is not None:
        program = PurePosixPath(after.words[0]).name
        if program in {"gzip", "pigz"} and after.output.endswith(".gz"):
            output, appends = after.output, after.appends
        elif program not in {"logger", "cat"} or after.output:
            output = after.output if program == "cat" else ""
            if program != "cat":
                remarks.append(f"its output goes through {program}; output_file takes it as it is")
    if output == "/dev/null":
        output = ""
    if appends and output:
        remarks.append(
            f"its output was appended to {_shown(output)}; a job's result takes the place of the earlier one"
        )
    if "$" in output or "`" in output:
        remarks.append(f"its output goes to {_shown(output)}, which the shell works out; write output_file by hand")
        output = ""
    return replace(call, output=_joined(call.folder, output) if output else "", remarks=tuple(remarks))


def _shown(output: str) -> str:
    return output.replace(DATE, "{date}").replace(DATETIME, "{datetime}")


def _script_in(words: Sequence[str]) -> str:
    text = " ".join(words)
    return next((script for script in SCRIPTS if f"/webservices/{script}" in text), "")


def _joined(folder: str, path: str) -> str:
    return str(PurePosixPath(folder or "/") / path) if folder or path.startswith("/") else path
