"""iTop's scripts, and what a call of one of them is."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
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
"""The service of each."""
_FOLDERS: Final = frozenset({"webservices", "synchro"})
"""Where iTop has them: ``cron.php`` is what many programs call theirs."""
_MENTION: Final = re.compile(rf"(?<![\w.-])({'|'.join(map(re.escape, SCRIPTS))})(?![\w.-])")


@dataclass(frozen=True, slots=True)
class ScriptCall:
    """One call of one of iTop's scripts."""

    script: str
    """``import.php``."""
    arguments: tuple[str, ...] = ()
    folder: str = ""
    """Where the shell is when it calls it; empty: unknown."""
    output: str | None = None
    """Where its standard output goes, as ``output_file`` writes it; empty: nowhere; ``None``: to cron's mail."""
    max_seconds: int | None = None
    account: str = ""
    """Whom ``sudo`` or ``su`` name."""
    lock: str = ""
    """The file that ``flock`` locks."""
    remarks: tuple[str, ...] = ()
    """What will be a little different."""
    problems: tuple[str, ...] = ()
    """What a job would not do that the line does."""
    unclear: str = ""
    """Why no job can be made of it at all."""
    is_itops: bool = True
    """Whether it may be iTop's script: others call theirs alike."""

    def noting(self, remark: str) -> ScriptCall:
        """Return the call with one remark more."""
        return replace(self, remarks=(*self.remarks, remark))

    def lacking(self, problem: str) -> ScriptCall:
        """Return the call with one problem more."""
        return replace(self, problems=(*self.problems, problem))


def mentioned(text: str) -> list[str]:
    """Return the scripts that a text names, each once."""
    return list(dict.fromkeys(_MENTION.findall(text)))


def is_itops(path: str) -> bool:
    """Return whether a script may be iTop's; of a path whose folder is unknown it is assumed."""
    parent = PurePosixPath(path).parent.name
    return parent in _FOLDERS or path == PurePosixPath(path).name


def joined(folder: str, path: str) -> str:
    """Return a path as it is from a folder; unchanged where the folder is unknown."""
    return str(PurePosixPath(folder) / path) if folder else path
