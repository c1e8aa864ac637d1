"""What stands around a script in a command: ``sudo -u``, ``nice``, ``flock``, ``timeout``, ``sh -c``, ``php``."""

from __future__ import annotations

import math
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Final

from itopd.wiring.crontabs.commands import assignment
from itopd.wiring.crontabs.scripts import SCRIPTS, joined
from itopd.wiring.crontabs.words import Word

_PHP: Final = re.compile(r"(?:ea-|alt-)?(?:ls)?php[0-9.]*(?:-cli|-cgi)?")
_ADDRESS: Final = re.compile(rf"https?://\S*/(?:webservices|synchro)/(?:{'|'.join(map(re.escape, SCRIPTS))})(?!\w)")
_DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)([smhd]?)")
_UNITS: Final = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}
_WITH_VALUE: Final = {
    "sudo": "ugpCDhrtTR",
    "doas": "uC",
    "runuser": "ugGswc",
    "su": "sgGwc",
    "flock": "wEc",
    "nice": "n",
    "ionice": "cnp",
    "timeout": "ks",
    "env": "uSC",
    "stdbuf": "ioe",
    "php": "cdfz",
}
"""Options, of one letter, that take a value."""
_LONG: Final = {
    "adjustment": "n", "chdir": "C", "class": "c", "classdata": "n", "command": "c", "group": "g", "kill-after": "k",
    "login": "l", "shell": "s", "signal": "s", "timeout": "w", "user": "u", "wait": "w",
}  # fmt: skip
"""The letters of options that are spelled out."""
_PLAIN: Final = frozenset(
    ("nice", "ionice", "nohup", "setsid", "chronic", "cronic", "exec", "time", "command", "env", "sudo", "doas",
     "stdbuf")
)  # fmt: skip
"""Programs that run the command after their options."""
_SHELLS: Final = frozenset({"sh", "bash", "dash", "ksh", "zsh"})


@dataclass(frozen=True, slots=True)
class Around:
    """What the programs around a call say."""

    folder: str
    """Where it is called; empty: unknown."""
    account: str = ""
    max_seconds: int | None = None
    lock: str = ""
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Script:
    """One of iTop's scripts, by its name, is called."""

    path: str
    arguments: tuple[Word, ...]
    around: Around


@dataclass(frozen=True, slots=True)
class Shell:
    """A shell is handed a command."""

    text: str
    around: Around


@dataclass(frozen=True, slots=True)
class Address:
    """A program calls a script over HTTP."""

    program: str
    url: str


def unwrapped(words: tuple[Word, ...], folder: str) -> Script | Shell | Address | None:
    """Take off what stands around a script, program by program; ``None`` where there is none."""
    rest = list(words)
    around = Around(folder)
    while rest:
        path = rest[0].text
        program = PurePosixPath(path).name
        if assignment(rest[0]) is not None:
            rest.pop(0)
        elif program in SCRIPTS:
            return Script(path, tuple(rest[1:]), around)
        elif program in _SHELLS:
            text = _options(rest, program, "c").get("c")
            return Shell(text, around) if text else None
        elif program in {"su", "runuser"}:
            shell, around = _other_account(rest, program, around)
            if shell is not None:
                return shell
        elif program == "flock":
            text = _options(rest, program).get("c")
            around = replace(around, lock=rest.pop(0).text if rest else "")
            text = _options([Word((program,)), *rest], program).get("c") if text is None else text
            if text is not None:
                return Shell(text, around)
        elif program == "timeout":
            around = _limited(rest, around)
        elif program in _PLAIN:
            around = _with_options(program, _options(rest, program), around)
        elif _PHP.fullmatch(program):
            file = _options(rest, "php").get("f")
            if file:
                rest.insert(0, Word((file,)))
            if not rest or PurePosixPath(rest[0].text).name not in SCRIPTS:
                return None
        else:
            return _address(program, rest)
    return None


def _address(program: str, words: list[Word]) -> Address | None:
    found = next((match for word in words if (match := _ADDRESS.search(word.text))), None)
    return Address(program, found[0]) if found is not None else None


def _with_options(program: str, options: Mapping[str, str], around: Around) -> Around:
    account = options.get("u", around.account) if program in {"sudo", "doas"} else around.account
    folder = around.folder
    if program == "sudo" and {"i", "l"} & options.keys():
        folder = home_of(account or "root")
    moved = options.get({"sudo": "D", "env": "C"}.get(program, ""), "")
    return replace(around, account=account, folder=joined(folder, moved) if moved else folder)


def _other_account(words: list[Word], program: str, around: Around) -> tuple[Shell | None, Around]:
    """Read ``su`` and ``runuser``: a command for a shell, or (``runuser -u``) the words after the options."""
    options = _options(words, program)
    account = options.get("u", "")
    if not account:
        # Here options may stand behind the account, too.
        account = words.pop(0).text if words else "root"
        options |= _options([Word((program,)), *words], program)
        words.clear()
    folder = home_of(account) if {"-", "l"} & options.keys() else around.folder
    around = replace(around, account=account, folder=folder)
    return (Shell(options["c"], around) if options.get("c") else None), around


def _limited(words: list[Word], around: Around) -> Around:
    _options(words, "timeout")
    text = words.pop(0).text if words else ""
    found = _DURATION.fullmatch(text)
    if found is None:
        return replace(around, remarks=(*around.remarks, f"the limit of timeout, '{text}', is not understood"))
    seconds = float(found[1]) * _UNITS[found[2]]
    return replace(around, max_seconds=math.ceil(seconds)) if seconds else around


def _options(words: list[Word], program: str, also: str = "") -> dict[str, str]:
    """Remove a program and its options from the front; return the options by letter, with their values."""
    words.pop(0)
    with_value, found = _WITH_VALUE.get(program, "") + also, dict[str, str]()
    while words and words[0].text.startswith("-"):
        option = words.pop(0).text
        if option == "--":
            break
        if option == "-":
            found["-"] = ""
        elif option.startswith("--"):
            name, equals, value = option[2:].partition("=")
            letter = _LONG.get(name, "")
            if letter in with_value and letter and not equals and words:
                value = words.pop(0).text
            found[letter or name] = value
        else:
            found |= _letters(option[1:], words, with_value)
        if program == "php" and "f" in found:  # what follows is the script's
            break
    return found


def _letters(letters: str, words: list[Word], with_value: str) -> dict[str, str]:
    """Return the options of one word like ``-lc``."""
    found = {}
    for number, letter in enumerate(letters):
        if letter in with_value:
            found[letter] = letters[number + 1 :] or (words.pop(0).text if words else "")
            break
        found[letter] = ""
    return found


def home_of(account: str) -> str:
    """Return the home of an account of this machine; empty when there is no such account."""
    try:
        return pwd.getpwnam(account).pw_dir
    except KeyError:
        return ""
