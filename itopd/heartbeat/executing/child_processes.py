"""How a run is executed: in a child process from a warm forkserver, or inside this process.

A child is forked from a server that has already imported what runs need, so it starts within some 10 ms. Its end is
seen by the loop through two file descriptors: the pipe it talks through and the process itself.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import pickle
import select
import signal
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from multiprocessing.connection import Connection
from typing import Final, cast

from itopd.heartbeat.executing import child
from itopd.heartbeat.executing.runs import RunOutcome, RunSpec
from itopd.heartbeat.seeing.run_log import LOGS
from itopd.state import SubjectKind

_EXIT_SECONDS = 5.0
"""How long a child may take to end after it reported."""
_STACK_SECONDS = 2.0
"""How long a child may take to begin to show its stacks: one that waits for a disk does not hear signals."""
_STACK_PAUSE = 0.2
"""A silence of so many seconds is their end."""


class ProcessExecutor:
    """A child process per run."""

    def __init__(self, entry: str, preload: tuple[str, ...] = ()) -> None:
        """Prepare for ``entry`` (``module:function``), whose module and ``preload`` the forkserver imports once."""
        self._entry = entry
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(["__main__", child.__name__, entry.partition(":")[0], *preload])
        self._server: int | None = None
        """Number of the forkserver's process, once it is known."""

    async def warm_up(self) -> None:
        """Start the forkserver and wait until a first child has come and gone."""
        outcome = await ChildProcess(
            *await asyncio.to_thread(self._spawn, f"{child.__name__}:nothing", _WARM_UP)
        ).outcome()
        self._server = int(outcome.message) if outcome.succeeded else None

    async def renew(self) -> None:
        """Replace the forkserver by one that imports anew; children of the old one would lose their exit codes."""
        if self._server is None:
            await self.warm_up()
        if self._server is not None:
            await asyncio.to_thread(_end_server, self._server)
        await self.warm_up()

    def start(self, spec: RunSpec) -> ChildProcess:
        """Fork a child."""
        return ChildProcess(*self._spawn(self._entry, spec), log=partial(LOGS.add, spec.run_id))

    def _spawn(self, entry: str, spec: RunSpec) -> tuple[multiprocessing.process.BaseProcess, Connection, Connection]:
        ours, theirs = self._context.Pipe(duplex=True)
        stacks, their_stacks = self._context.Pipe(duplex=False)
        try:
            process = self._context.Process(
                target=child.main, args=(theirs, their_stacks, entry, spec), name="itopd run"
            )
            self._fork(process)
        except BaseException:
            ours.close()
            stacks.close()
            raise
        finally:
            theirs.close()
            their_stacks.close()
        return process, ours, stacks

    def _fork(self, process: multiprocessing.process.BaseProcess) -> None:
        """Fork a child; a forkserver that dies over it is replaced once. Raises :class:`OSError`."""
        try:
            process.start()
        except EOFError:  # it hung up without telling the child's number
            if self._server is not None:
                _end_server(self._server)
                self._server = None
            try:
                process.start()
            except EOFError as error:
                raise OSError("the forkserver died twice, perhaps for lack of memory") from error


def _end_server(number: int) -> None:
    """End a forkserver and wait until it is gone; multiprocessing, which reaps it, then starts another."""
    try:
        os.kill(number, signal.SIGTERM)
        os.waitid(os.P_PID, number, os.WEXITED | os.WNOWAIT)
    except (ProcessLookupError, ChildProcessError):  # it has died already, and was reaped
        return


_EPOCH: Final = datetime.fromtimestamp(0, UTC)
_WARM_UP: Final = RunSpec("", SubjectKind.TASK, "warm-up", _EPOCH, _EPOCH, _EPOCH, token=0, attempt=0)


class ChildProcess:
    """One child, seen from the heartbeat's loop."""

    def __init__(
        self,
        process: multiprocessing.process.BaseProcess,
        connection: Connection,
        stacks: Connection,
        log: Callable[[str], None] = lambda _line: None,
    ) -> None:
        self._process = process
        self._connection = connection
        self._stacks = stacks
        self._log = log
        self._reading_stacks = asyncio.Lock()
        self._shows_stacks = False
        self._loop = asyncio.get_running_loop()
        self._outcome: asyncio.Future[RunOutcome] = self._loop.create_future()
        self._ended = asyncio.Event()
        self.pid = process.pid or 0
        self.progress = ""
        self._loop.add_reader(connection.fileno(), self._read)
        self._loop.add_reader(process.sentinel, self._end)

    async def outcome(self) -> RunOutcome:
        """Wait for the outcome, then for the end of the process; release what it held."""
        outcome = await self._outcome
        try:
            await asyncio.wait_for(self._ended.wait(), _EXIT_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._ended.wait()
        self._loop.remove_reader(self._connection.fileno())
        self._connection.close()
        async with self._reading_stacks:
            self._stacks.close()
        self._process.join()
        self._process.close()
        return outcome

    def stop(self) -> None:
        """Ask the child to stop."""
        self._tell(("stop",))

    def hold_until(self, deadline: float) -> None:
        """Tell the child how long its lease is proven."""
        self._tell(("lease", deadline))

    def kill(self) -> None:
        """SIGKILL."""
        if not self._ended.is_set():
            self._process.kill()

    async def stack(self) -> str:
        """Let the child write the stacks of its threads, whatever it is doing; empty when it does not, or has ended."""
        async with self._reading_stacks:
            if self._ended.is_set() or not self._shows_stacks:
                return ""
            os.kill(self.pid, child.STACK_SIGNAL)
            return await asyncio.to_thread(_read_stack, self._stacks.fileno())

    def _tell(self, message: child.ToChild) -> None:
        if self._outcome.done():
            return
        try:
            self._connection.send(message)
        except OSError:  # it has just died, which the loop is about to see
            return

    def _read(self) -> None:
        """Take what the child said; the loop calls this when there is something."""
        try:
            while self._connection.poll():
                message = cast("child.FromChild", self._connection.recv())
                if message[0] == "outcome":
                    self._settle(message[1])
                elif message[0] == "ready":
                    self._shows_stacks = True
                elif message[0] == "log":
                    self._log(message[1])
                else:
                    self.progress = message[1]
        except (EOFError, OSError, pickle.UnpicklingError):  # it hung up, perhaps in the middle of a word
            self._loop.remove_reader(self._connection.fileno())

    def _end(self) -> None:
        """Note that the process has ended; the loop calls this."""
        self._loop.remove_reader(self._process.sentinel)
        self._read()  # its last word may still be in the pipe
        self._process.join()
        self._settle(RunOutcome(succeeded=False, exit_code=70, error=_how_it_died(self._process.exitcode), died=True))
        self._ended.set()

    def _settle(self, outcome: RunOutcome) -> None:
        if not self._outcome.done():
            self._outcome.set_result(outcome)


def _read_stack(descriptor: int) -> str:
    """Return what a child writes until it is silent or has ended."""
    poll, text, patience = select.poll(), b"", _STACK_SECONDS
    poll.register(descriptor, select.POLLIN)
    while poll.poll(patience * 1000):
        part = os.read(descriptor, 65536)
        if not part:
            break
        text, patience = text + part, _STACK_PAUSE
    return text.decode(errors="replace")


def _how_it_died(exit_code: int | None) -> str:
    if exit_code is not None and exit_code < 0:
        try:
            name = signal.Signals(-exit_code).name
        except ValueError:
            name = f"signal {-exit_code}"
        return f"its process was killed by {name}"
    return f"its process ended with exit code {exit_code} without reporting a result"
