"""The inside of a child process: one run, and its line to the heartbeat.

The line tells three things from outside: stop, how long the lease is proven, and (by its end) that the heartbeat died.
A child whose heartbeat died ends at once, as if killed: a successor may already take the run over.
"""

from __future__ import annotations

import faulthandler
import gc
import os
import signal
import threading
import time
import traceback
from multiprocessing.connection import Connection
from typing import Final, Literal, cast

import structlog

from itopd.deferred import find
from itopd.errors import ItopdError
from itopd.heartbeat.executing.runs import ChildEntry, RunOutcome, RunSpec, progress_text
from itopd.heartbeat.seeing.run_log import LOGS

ToChild = tuple[Literal["stop"]] | tuple[Literal["lease"], float]
FromChild = (
    tuple[Literal["ready"], None]
    | tuple[Literal["progress"], str]
    | tuple[Literal["log"], str]
    | tuple[Literal["outcome"], RunOutcome]
)

STACK_SIGNAL: Final = signal.SIGUSR1
"""Makes a child that is ready write what each of its threads does."""

ORPHANED = 71
"""Exit code of a child whose heartbeat died."""

_PROGRESS_SECONDS = 1.0
_LONGEST_ERROR = 8000


def main(connection: Connection, stacks: Connection, entry: str, spec: RunSpec) -> None:
    """Do one run: what the forkserver starts. Ends with the process."""
    _give_way(spec.niceness)
    gc.freeze()  # what the forkserver imported stays to the end: the cycle collector need not walk through it
    line = Line(connection)
    # Written by the signal handler itself, so also while the interpreter hangs in C code; it never waits for a reader.
    os.set_blocking(stacks.fileno(), False)
    faulthandler.register(STACK_SIGNAL, stacks.fileno(), all_threads=True)
    line.ready()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group: the heartbeat decides
    signal.signal(signal.SIGTERM, lambda _number, _frame: line.stop())
    threading.Thread(target=line.listen, name="line", daemon=True).start()
    line.report(outcome_of(entry, spec, line))


def _give_way(niceness: int) -> None:
    """Take less of a scarce processor than others do."""
    try:
        os.nice(niceness)
    except OSError:  # the system does not let us: then all are equal, as they were
        structlog.get_logger(__name__).debug("not_nice", niceness=niceness)


def outcome_of(entry: str, spec: RunSpec, control: Line | FlagControl) -> RunOutcome:
    """Call the entry and turn whatever it raises into a failed outcome."""
    try:
        return cast("ChildEntry", find(entry))(spec, control)
    except ItopdError as error:
        return RunOutcome(succeeded=False, exit_code=error.exit_code, error=error.message)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - reported in full; one run must not hurt the others
        place = "".join(traceback.format_exception(error))[-_LONGEST_ERROR:]
        return RunOutcome(
            succeeded=False, exit_code=ItopdError.exit_code, error=f"{type(error).__name__}: {error}\n{place}"
        )


def nothing(_spec: RunSpec, _control: object) -> RunOutcome:
    """Do nothing: the entry that warms the forkserver up, and tells the number of its process."""
    return RunOutcome(succeeded=True, exit_code=0, message=str(os.getppid()))


class FlagControl:
    """The line of a run inside the heartbeat's own process."""

    def __init__(self) -> None:
        self._stop = threading.Event()
        self.latest = ""
        self.lease_until = float("inf")

    def should_stop(self) -> bool:
        """Return whether ``stop`` was called, or the lease may be lost."""
        return self._stop.is_set() or not self.is_ours()

    def is_ours(self) -> bool:
        """Return whether the lease is still proven."""
        return time.monotonic() <= self.lease_until

    def stop(self) -> None:
        """Ask the run to stop."""
        self._stop.set()

    def progress(self, done: int, total: int | None, unit: str) -> None:
        """Keep the newest progress."""
        self.latest = progress_text(done, total, unit)

    def log(self, run_id: str, line: str) -> None:
        """Keep a line of the log."""
        LOGS.add(run_id, line)


class Line:
    """A child's end of the pipe to the heartbeat."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._sending = threading.Lock()
        self._stop = threading.Event()
        self._reported = False
        self._lease_until = float("inf")
        self._next_progress = 0.0

    def should_stop(self) -> bool:
        """Return whether the heartbeat asked to stop, or was silent for so long that the lease may be lost."""
        return self._stop.is_set() or not self.is_ours()

    def is_ours(self) -> bool:
        """Return whether the lease is still proven; a process that slept for long cannot know."""
        return time.monotonic() <= self._lease_until

    def progress(self, done: int, total: int | None, unit: str) -> None:
        """Send progress, at most once a second."""
        if time.monotonic() >= self._next_progress:
            self._next_progress = time.monotonic() + _PROGRESS_SECONDS
            self._send(("progress", progress_text(done, total, unit)))

    def log(self, run_id: str, line: str) -> None:
        """Send a line of the log; a child has one run."""
        del run_id
        self._send(("log", line))

    def stop(self) -> None:
        """Make ``should_stop`` say yes."""
        self._stop.set()

    def ready(self) -> None:
        """Tell that the child shows its stacks when asked; before that the signal would end it."""
        self._send(("ready", None))

    def report(self, outcome: RunOutcome) -> None:
        """Send how the run ended."""
        self._reported = True
        self._send(("outcome", outcome))

    def listen(self) -> None:
        """Hear what the heartbeat says until it hangs up."""
        while True:
            try:
                message = cast("ToChild", self._connection.recv())
            except (EOFError, OSError):
                break
            if message[0] == "stop":
                self._stop.set()
            else:
                self._lease_until = message[1]
        if not self._reported:
            os._exit(ORPHANED)

    def _send(self, message: FromChild) -> None:
        with self._sending:
            try:
                self._connection.send(message)
            except OSError:  # nobody listens any more: there is nobody to tell
                os._exit(ORPHANED)
