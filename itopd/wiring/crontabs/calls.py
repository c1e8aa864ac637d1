"""Which of iTop's scripts a shell command calls, with which arguments, from where, and where its output goes.

No shell: the forms that crontabs are written in are recognised (``cd x && php ...``, ``su -c``, ``sudo -u``, ``flock``,
``timeout``, redirections, ``| gzip``). What else the line does, and every mention of a script that is not understood,
is told: nothing is lost in silence.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Final

from itopd.wiring.crontabs.commands import Command, NotPlain, Pipeline, pipelines
from itopd.wiring.crontabs.outputs import with_output
from itopd.wiring.crontabs.scripts import ScriptCall, is_itops, joined, mentioned
from itopd.wiring.crontabs.words import Word
from itopd.wiring.crontabs.wrappers import Address, Around, Script, Shell, unwrapped

_HARMLESS: Final = frozenset(
    ("echo", "printf", "true", "false", ":", "exit", "wait", "umask", "ulimit", "set", "shopt", "trap", "date", "sync",
     ".", "source", "logger")
)  # fmt: skip
"""What changes nothing for the calls of its line; a variable that ``.`` sets is told where it is used."""
_LOOKING: Final = frozenset({"echo", "printf", "logger", "test", "[", "[[", "grep", "pgrep", "ps", "ls"})
"""Programs that are given the name of a script and do not call it."""
_DEEPEST: Final = 5


def script_calls(command: str, environment: Mapping[str, str], depth: int = 0) -> list[ScriptCall]:
    """Return the calls of iTop's scripts in a shell command, in order. Raises ``ValueError`` for open quotes.

    ``HOME`` of the environment is the folder in which the shell begins.
    """
    try:
        pipes = list(pipelines(command, environment))
    except NotPlain as sign:
        reason = f"the line holds '{sign}': it is more than a list of commands"
        return [ScriptCall(script, unclear=reason) for script in mentioned(command)]
    folder = environment.get("HOME", "")
    line = _Line()
    looked_at: set[str] = set()
    for pipeline in pipes:
        if pipeline.before == "&":
            line.begin()
        if pipeline.program == "cd":
            folder = _changed(folder, pipeline.commands[0])
            continue
        calls = _calls_of(pipeline, folder, environment, depth)
        if calls:
            line.add(calls)
        elif not _is_harmless(pipeline):
            line.pass_by(pipeline)
        if not calls and pipeline.program in _LOOKING:
            looked_at |= set(mentioned(_plain_text(pipeline)))
    lost = set(mentioned(command)) - {call.script for call in line.calls} - looked_at
    reason = "it is named, and how the line calls it is not understood"
    return [*line.calls, *(ScriptCall(script, unclear=reason) for script in sorted(lost))]


@dataclass(slots=True)
class _Line:
    """The calls of a line so far, and what it does beside them."""

    calls: list[ScriptCall] = field(default_factory=list)
    _newest: int = 0
    """How many of the calls the last pipeline made."""
    _since: list[str] = field(default_factory=list)
    """Other programs since then: the next call may need what they do."""
    _slept: str = ""
    _waits: bool = False
    """Whether the next call begins after one before it."""

    def begin(self) -> None:
        """Forget what came before: ``&`` waits for nothing."""
        self._newest, self._since, self._slept, self._waits = 0, [], "", False

    def add(self, calls: Sequence[ScriptCall]) -> None:
        """Take the calls of one pipeline."""
        first = calls[0]
        if self._since:
            first = first.lacking(f"before it the line runs {_listed(self._since)}, which no job does")
        if self._slept:
            first = first.noting(f"before it the line sleeps {self._slept}: a job begins with its minute")
        if self._waits and first.script != "cron.php":
            first = first.lacking("it waits for the call before it, jobs do not: give it a later schedule")
        self.calls += [first, *calls[1:]]
        self._newest, self._since, self._slept = len(calls), [], ""
        self._waits = self._waits or any(call.script != "cron.php" for call in calls)

    def pass_by(self, pipeline: Pipeline) -> None:
        """Take account of a pipeline that calls no script."""
        if pipeline.program == "sleep":
            self._slept = pipeline.commands[0].words[-1].text
            return
        self._since.append(pipeline.program)
        for number in range(len(self.calls) - self._newest, len(self.calls)):
            call = self.calls[number]
            if pipeline.before == "||":
                call = call.noting(f"when it failed the line ran '{pipeline.program}': itopd health tells failures")
            else:
                call = call.lacking(f"after it the line runs '{pipeline.program}', which no job does")
            self.calls[number] = call


def _calls_of(pipeline: Pipeline, folder: str, environment: Mapping[str, str], depth: int) -> list[ScriptCall]:
    """Return the calls of a pipeline; of one that mentions scripts in a way that is not understood, these."""
    for number, command in enumerate(pipeline.commands):
        found = _calls_in(command, folder, environment, depth)
        if found:
            found = [with_output(call, command, pipeline.commands[number + 1 :]) for call in found]
            before = [one.program for one in pipeline.commands[:number]]
            return [call.lacking(f"it reads what {_listed(before)} prints") for call in found] if before else found
    if pipeline.program in _LOOKING:
        return []
    reason = f"how '{pipeline.program}' calls it is not understood"
    return [ScriptCall(script, unclear=reason) for script in mentioned(_plain_text(pipeline))]


def _calls_in(command: Command, folder: str, environment: Mapping[str, str], depth: int) -> list[ScriptCall]:
    match unwrapped(command.words, folder):
        case Script(path, arguments, around):
            return [_call(path, arguments, around)]
        case Shell(text, around) if depth < _DEEPEST:
            inside = script_calls(text, {**environment, "HOME": around.folder}, depth + 1)
            return [_surrounded(call, around) for call in inside]
        case Address(program, url):
            reason = f"'{program}' calls it over HTTP: write a job with the same parameters by hand"
            return [ScriptCall(script, unclear=reason) for script in mentioned(url)]
        case _:
            return []


def _call(path: str, arguments: Sequence[Word], around: Around) -> ScriptCall:
    script, place = PurePosixPath(path).name, joined(around.folder, path)
    if not is_itops(place):
        reason = f"{place} is not taken for iTop's, whose scripts are in the folders webservices and synchro"
        return ScriptCall(script, unclear=reason, is_itops=False)
    call = ScriptCall(script, tuple(word.text for word in arguments if word.text != "--"), around.folder)
    for word in arguments:
        name = word.text.partition("=")[0].lstrip("-") if "=" in word.text else "an argument"
        for live in word.live:
            call = call.lacking(f"the shell works out {live} in {name}: write its value")
    return _surrounded(call, around)


def _surrounded(call: ScriptCall, around: Around) -> ScriptCall:
    """Return a call with what the programs around it say, where it says nothing itself."""
    return replace(
        call,
        account=call.account or around.account,
        max_seconds=call.max_seconds if call.max_seconds is not None else around.max_seconds,
        lock=call.lock or around.lock,
        remarks=(*around.remarks, *call.remarks),
    )


def _plain_text(pipeline: Pipeline) -> str:
    """Return the words of a pipeline without what the shell works out."""
    words = [word for command in pipeline.commands for word in command.words]
    return " ".join("".join(part for part in word.parts if isinstance(part, str)) for word in words)


def _changed(folder: str, command: Command) -> str:
    """Return where the shell is after ``cd``; empty when that is unknown."""
    words = [word for word in command.words[1:] if not word.text.startswith("-")]
    if not words or words[0].live:
        return ""
    return joined(folder, words[0].text) if folder or words[0].text.startswith("/") else ""


def _is_harmless(pipeline: Pipeline) -> bool:
    """Return whether a pipeline matters to no call; Debian's ``test -x program &&`` does not, either."""
    words = [word.text for word in pipeline.commands[0].words]
    return pipeline.program in _HARMLESS or (pipeline.program in {"test", "["} and words[1:2] == ["-x"])


def _listed(programs: Sequence[str]) -> str:
    return ", ".join(f"'{one}'" for one in dict.fromkeys(programs))
