"""Tables of cron (crontab(5)): what runs when, as whom, in which environment.

Two layouts: that of a user's table, and that of ``/etc/crontab`` and ``/etc/cron.d``, which has the account between
the times and the command.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_VARIABLE = re.compile(r"""\s*(?:(["'])(?P<quoted>\w+)\1|(?P<plain>\w+))\s*=\s*(?P<value>.*?)\s*""")
_TIMES = re.compile(r"\s*(@\S+|(?:\S+[ \t]+){4}\S+)[ \t]+(.*)", re.DOTALL)
_ACCOUNT = re.compile(r"([a-z_][a-z0-9_.-]*\$?)[ \t]+(\S.*)", re.DOTALL)
_COMMANDS = frozenset(
    (
        "bash", "cd", "chronic", "command", "cp", "curl", "dash", "docker", "echo", "env", "exec", "export", "find",
        "flock", "for", "if", "ionice", "kubectl", "ksh", "lynx", "mv", "mysqldump", "nice", "nohup", "perl", "php",
        "podman", "python", "rm", "rsync", "run-parts", "runuser", "scp", "set", "setpriv", "setsid", "sh", "sleep",
        "source", "ssh", "stdbuf", "su", "sudo", "systemctl", "systemd-run", "tar", "test", "time", "timeout", "umask",
        "wget", "while", "zsh",
    )
)  # fmt: skip
"""What begins a command and so is no account."""
_PHP = re.compile(r"php[0-9.]*(?:-cli|-cgi)?")
_PERCENT = re.compile(r"(?<!\\)%")


@dataclass(frozen=True, slots=True)
class CronLine:
    """One line that runs something."""

    number: int
    """1-based."""
    schedule: str
    """Five fields or a nickname, as written."""
    account: str
    """Whom the table names; empty: its owner."""
    command: str
    """For the shell: with ``%`` as cron hands it on, without what it feeds to the command."""
    environment: Mapping[str, str]
    """What the lines above set."""


@dataclass(frozen=True, slots=True)
class OddLine:
    """A line that cron would not understand."""

    number: int
    problem: str


def read_crontab(text: str, *, accounts: bool | None = None) -> Iterator[CronLine | OddLine]:
    """Yield what runs; ``accounts`` says whether the table names accounts, ``None``: when every line seems to."""
    lines = text.replace("\r\n", "\n").split("\n")
    if accounts is None:
        accounts = all(_seems_to_name_account(line) for line in lines)
    environment: dict[str, str] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        variable = _VARIABLE.fullmatch(line)
        if variable is not None:
            environment[variable["quoted"] or variable["plain"]] = _unquoted(variable["value"])
            continue
        found = _TIMES.fullmatch(line)
        if found is None:
            yield OddLine(number, "neither five fields and a command, nor NAME = value")
            continue
        account, command = _split_account(found[2], accounts=accounts)
        yield CronLine(number, " ".join(found[1].split()), account, _for_shell(command), dict(environment))


def _seems_to_name_account(line: str) -> bool:
    """Return whether a line that runs something may have an account before its command."""
    found = None if line.lstrip().startswith("#") or _VARIABLE.fullmatch(line) else _TIMES.fullmatch(line)
    if found is None:
        return True
    account = _ACCOUNT.fullmatch(found[2])
    return account is not None and account[1] not in _COMMANDS and _PHP.fullmatch(account[1]) is None


def _split_account(rest: str, *, accounts: bool) -> tuple[str, str]:
    found = _ACCOUNT.fullmatch(rest) if accounts else None
    return ("", rest) if found is None else (found[1], found[2])


def _for_shell(command: str) -> str:
    """Return what the shell gets: up to the first plain ``%`` (what follows is the command's input)."""
    return _PERCENT.split(command, maxsplit=1)[0].replace("\\%", "%").strip()


def _unquoted(value: str) -> str:
    return value[1:-1] if len(value) > 1 and value[0] == value[-1] and value[0] in "\"'" else value
