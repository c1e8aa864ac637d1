"""Where the output of a call goes, in the words of a job: ``output_file`` with its ``{date}``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from itopd.wiring.crontabs.commands import Command, Redirection
from itopd.wiring.crontabs.scripts import ScriptCall, joined
from itopd.wiring.crontabs.words import Word

_DATE: Final = re.compile(r"""(?:\$\(|`)\s*(?:/\S*/)?date\s+(["']?)\+(["']?)(?P<form>[^"'`()]*)\2\1\s*[)`]""")
_SAME: Final = {
    "%F": "{date}",
    "%Y-%m-%d": "{date}",
    "%H%M%S": "{time}",
    "%F_%H%M%S": "{datetime}",
    "%Y-%m-%d_%H%M%S": "{datetime}",
}
"""Forms of date(1) that our placeholders write alike."""
_YEAR, _MONTH, _DAY, _WHOLE = frozenset("Yy"), frozenset("mbBh"), frozenset("de"), frozenset("FDxcs")
_HOURS: Final = frozenset("HIklRTXrcs")
_COMPRESSORS: Final = frozenset({"gzip", "pigz"})
_MAILERS: Final = frozenset({"mail", "mailx", "mutt", "sendmail", "msmtp", "s-nail", "swaks", "ssmtp"})
_LOGGERS: Final = frozenset({"logger", "systemd-cat"})


def with_output(call: ScriptCall, command: Command, filters: Sequence[Command]) -> ScriptCall:
    """Return a call with what becomes of its output: the redirections of its command, the programs after it.

    What a program for mails gets is the same as what cron itself sends.
    """
    if call.output is not None:  # a shell inside has said it
        return call
    own = _of_standard_output(command)
    if own is not None:
        return _to(call, own.target, appends=own.operator.endswith(">>"))
    return _through(call, filters) if filters else call


def _of_standard_output(command: Command) -> Redirection | None:
    """Return the redirection that counts; ``None`` where there is none, or to standard error."""
    found = None
    for one in command.redirections:
        if one.operator in {"<", "<&"} or one.stream not in {"", "1"}:
            continue
        duplicates = one.operator == ">&" and (one.target.text.isdigit() or one.target.text == "-")
        found = None if duplicates else one
    return found


def _through(call: ScriptCall, filters: Sequence[Command]) -> ScriptCall:
    first, target = filters[0], _of_standard_output(filters[0])
    program = first.program
    if len(filters) == 1:
        if program in _LOGGERS:
            return replace(call, output="").noting(
                "its output went to the log of the system; give the job an output_file"
            )
        if program in _MAILERS:
            return call
        if program == "tee" and (files := [word for word in first.words[1:] if not word.text.startswith("-")]):
            return _to(call, files[0], appends=any(word.text in {"-a", "--append"} for word in first.words))
        compresses = program in _COMPRESSORS and target is not None and target.target.text.endswith(".gz")
        if target is not None and (compresses or program == "cat"):
            return _to(call, target.target, appends=target.operator.endswith(">>"))
    return call.lacking(f"its output goes through '{program}', which no job does; output_file takes it as it is")


def _to(call: ScriptCall, target: Word, *, appends: bool) -> ScriptCall:
    if target.text == "/dev/null":
        return replace(call, output="")
    template, odd = "", ""
    for part in target.parts:
        if isinstance(part, str):
            template += _escaped(part)
            continue
        placeholder, remark = _placeholder(part.text)
        odd = odd or ("" if placeholder else part.text)
        call = call.noting(remark) if remark else call
        template += placeholder
    if odd:
        return call.lacking(f"its output goes to {target.text}: the shell works out {odd}, write output_file by hand")
    if appends:
        call = call.noting(
            f"its output was appended to {target.text}; a job's result takes the place of the earlier one"
        )
    if not call.folder and not template.startswith("/"):
        call = call.lacking(f"its output goes to {target.text} in a folder that is unknown: write output_file in full")
    return replace(call, output=joined(_escaped(call.folder), template))


def _placeholder(live: str) -> tuple[str, str]:
    """Return the placeholder of ``$(date +FORM)`` and what is different about it; empty where there is none."""
    found = _DATE.fullmatch(live)
    if found is None:
        return "", ""
    form = found["form"].strip()
    if form in _SAME:
        return _SAME[form], ""
    letters = frozenset(re.findall(r"%[-_0^#]?(\w)", form))
    if not letters & _WHOLE and not (letters & _YEAR and ((letters & _MONTH and letters & _DAY) or "j" in letters)):
        return "", ""
    placeholder, example = ("{datetime}", "2026-01-31_235900") if letters & _HOURS else ("{date}", "2026-01-31")
    return placeholder, f"the date in its name was written by date +{form}: {placeholder} writes {example}"


def _escaped(text: str) -> str:
    return text.replace("{", "{{").replace("}", "}}")
