"""Is all well? What an administrator should be woken for (*problems*), and what he should know (*warnings*).

What counts is that the work is done, not that a process is there: itopd may as well be called by a timer. So the first
question is whether anything has been due for too long; that no daemon gives a sign of life only explains it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from zoneinfo import ZoneInfo

from itopd.clock import to_itop
from itopd.heartbeat.seeing.seen import LaneSeen, Standing, Status, SubjectSeen
from itopd.state import Instance, RunState

SILENT_SECONDS = 60.0
"""A process that carries out runs gives a sign of life every few seconds; after so long something is wrong."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What is too long, in seconds."""

    late: float = 300.0
    """For something due that nobody begins."""
    queue: float = 900.0
    """For a mail that could be sent."""
    full: float = 60.0
    """For something due in a lane that has no room: that something waits for its turn is what lanes are for."""


@dataclass(frozen=True, slots=True)
class Health:
    """The answer."""

    problems: tuple[str, ...]
    warnings: tuple[str, ...]
    summary: str
    """How much there is, in one line."""

    @property
    def is_good(self) -> bool:
        """Return whether nobody needs to be woken."""
        return not self.problems


def health(seen: Status, zone: ZoneInfo, limits: Limits | None = None) -> Health:
    """Judge what :func:`itopd.heartbeat.seeing.status` saw."""
    limits = limits or Limits()
    problems = (
        *seen.problems,
        *_late(seen, zone, limits),
        *_failing(seen, zone),
        *_beyond_limit(seen),
        *_old_mails(seen, limits),
        *_instances(seen),
        *(f"lane {lane.name}: {lane.problem}" for lane in seen.lanes if lane.problem),
    )
    return Health(problems, tuple(_warnings(seen, limits)), _summary(seen))


def _late(seen: Status, zone: ZoneInfo, limits: Limits) -> Iterator[str]:
    """Yield what should have begun; while nothing may begin, and in a full lane, waiting is right."""
    if seen.closed:
        return
    full = {lane.name for lane in seen.lanes if _is_full(lane, seen)}
    for subject in seen.subjects:
        if subject.standing is Standing.WAITING and subject.late_seconds > limits.late and subject.lane not in full:
            due = "" if subject.next_date is None else f" since {to_itop(subject.next_date, zone)}"
            yield f"{subject.subject} is due{due} and nobody begins it: {_why_nobody(seen)}"


def _is_full(lane: LaneSeen, seen: Status) -> bool:
    return lane.running >= lane.limit * max(1, len(_living(seen)))


def _living(seen: Status) -> list[Instance]:
    return [one for one in seen.instances if not one.is_dead and one.silent_seconds <= SILENT_SECONDS]


def _why_nobody(seen: Status) -> str:
    living = _living(seen)
    if living:
        return f"{living[0].owner} is there and should; look at its log"
    return "no itopd gives a sign of life; start 'itopd run', or call 'itopd tick' every minute"


def _failing(seen: Status, zone: ZoneInfo) -> Iterator[str]:
    for subject in seen.subjects:
        run = subject.last_run
        if subject.failures and run is not None and subject.standing not in (Standing.SET_ASIDE, Standing.DISABLED):
            times = "failed" if subject.failures == 1 else f"failed {subject.failures} times in a row"
            reason = (run.error.splitlines() or [run.state.value])[0] if run.error else f"now {run.state.value}"
            yield f"{subject.subject} {times}, {_success_text(subject, zone)}: {reason} (itopd runs show {run.id})"


def _success_text(subject: SubjectSeen, zone: ZoneInfo) -> str:
    if subject.last_success is None:
        return "it has not succeeded yet"
    return f"it last succeeded {to_itop(subject.last_success, zone)}"


def _beyond_limit(seen: Status) -> Iterator[str]:
    for one in seen.running:
        if one.run.state is RunState.RUNNING and one.limit_seconds is not None and one.seconds > one.limit_seconds:
            yield (
                f"{one.run.subject} runs for {one.seconds:.0f} s, beyond its limit of {one.limit_seconds:.0f} s, "
                f"at {one.owner}: look at its log"
            )


def _old_mails(seen: Status, limits: Limits) -> Iterator[str]:
    for queue in seen.queues:
        age = (seen.now - queue.oldest_ready).total_seconds() if queue.oldest_ready is not None else 0.0
        if age > limits.queue and not seen.closed:
            yield f"queue of {queue.name}: {queue.ready} could be sent, the oldest for {age:.0f} s"


def _instances(seen: Status) -> Iterator[str]:
    replaced = {one.kind for one in _living(seen)}
    for one in seen.instances:
        if one.is_dead:
            if one.kind not in replaced:
                yield f"the {one.kind} {one.owner} has ended without a word: look at its log, then start it again"
        elif one.silent_seconds > SILENT_SECONDS:
            yield f"the {one.kind} {one.owner} gives no sign of life for {one.silent_seconds:.0f} s"
        yield from (f"{one.owner}: {problem}" for problem in one.problems if not one.is_dead)


def _warnings(seen: Status, limits: Limits) -> Iterator[str]:
    if seen.closed:
        yield f"nothing begins: {seen.closed}"
    if not any(one.kind == "daemon" for one in _living(seen)):
        yield "no daemon (itopd run) gives a sign of life; what becomes due waits for 'itopd tick'"
    versions = sorted({one.version for one in _living(seen)})
    if len(versions) > 1:
        yield f"itopd runs in several versions: {', '.join(versions)}"
    for lane in seen.lanes:
        if lane.longest_wait > limits.full and _is_full(lane, seen):
            waiting = f"{lane.waiting} waiting, the first for {lane.longest_wait:.0f} s"
            yield f"lane {lane.name} is full: {lane.running} at work, {waiting}"
    for queue in seen.queues:
        if queue.failed:
            yield f"queue of {queue.name}: {queue.failed} given up"
    for one in seen.running:
        if one.run.attempts > 1:
            yield f"{one.run.subject} is at its attempt {one.run.attempts}: earlier processes died over it"


def _summary(seen: Status) -> str:
    kinds = [subject.subject.kind.value for subject in seen.subjects if subject.standing is not Standing.NOT_OURS]
    counts = [_count(kinds.count("task"), "task"), _count(kinds.count("job"), "job")]
    counts += [f"{sum(1 for one in seen.running if one.is_alive)} running"]
    counts += [f"{queue.name}: {queue.waiting} waiting" for queue in seen.queues]
    counts += [_count(len(_living(seen)), "process", "processes")]
    return ", ".join(counts)


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {one if number == 1 else many or one + 's'}"
