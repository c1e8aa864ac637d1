"""CheckStopWatchThresholds: what happens when a stop watch passes a threshold (``spec/heartbeat.md`` §9).

Only tables of stop watches are asked, each with one statement; what is found is written in bulk by the writer, so that
the behaviours, guards and reactions of a write take part. What a threshold sets off is handed in (:class:`Effects`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import sqlalchemy as sa
import structlog

from itopd.attributes import StopWatchState
from itopd.datamodel import Model, Threshold
from itopd.objects import fetch, final_classes
from itopd.tasks.work import BATCH, Work, batches
from itopd.writing import Change, Update, Writer

MARK = "Automatic - threshold triggered"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Reached:
    """An object whose stop watch has passed a threshold."""

    cls: str
    """Its final class."""
    id: int
    code: str
    """The stop watch."""
    percent: int

    def __str__(self) -> str:
        return f"{self.cls}::{self.id} {self.code} {self.percent}"


Action = Callable[[sa.Connection, Sequence[Reached], Sequence[str], Change], None]
"""Does an action of a threshold for all these objects at once, given its parameters."""


@dataclass(frozen=True, slots=True)
class Effects:
    """What thresholds set off."""

    actions: Mapping[str, Action] = field(default_factory=dict)
    """By verb, like ``ApplyStimulus``. A threshold with another action is left as it is: nothing of it gets lost."""
    activate: Callable[[sa.Connection, Sequence[Reached], Change], None] = lambda *_: None
    """Activates the triggers on thresholds reached; called after the mark was written."""


@dataclass(frozen=True, slots=True)
class Watched:
    """One threshold of a stop watch, by the class that declares it."""

    cls: str
    code: str
    threshold: Threshold


def check_stop_watch_thresholds(work: Work, writer: Writer, effects: Effects) -> str:
    """Do what passed thresholds ask for and mark them as triggered; return iTop's message.

    An object that refuses the mark is logged and tried again by the next run.
    """
    done: list[Reached] = []
    for watched in by_table(work.database.model).values():
        waiting = _passed(work, watched)
        for one in watched:
            if one in waiting and _is_able(one, effects):
                done += _trigger_all(work, writer, effects, one)
    return f"Triggered {len(done)} threshold(s):{', '.join(map(str, done))}"


def thresholds_wait(work: Work, effects: Effects) -> bool:
    """Return whether a threshold has passed that something can be done about: one statement per class."""
    tables = by_table(work.database.model).values()
    return any(_passed(work, [one for one in watched if not _lacking(one, effects)]) for watched in tables)


def by_table(model: Model) -> dict[str, list[Watched]]:
    """Return the thresholds of each class that declares stop watches, parents first, in the order of the model."""
    found: dict[str, list[Watched]] = {}
    for cls in model.values():
        for attribute in cls.attributes.values():
            if attribute.type == "AttributeStopWatch" and attribute.origin == cls.name and attribute.thresholds:
                of_class = found.setdefault(cls.name, [])
                of_class += [Watched(cls.name, attribute.code, threshold) for threshold in attribute.thresholds]
    return found


def _passed(work: Work, watched: Sequence[Watched]) -> list[Watched]:
    """Return the thresholds that some object has passed: one statement for the whole table."""
    if not watched:
        return []
    queries = [sa.exists(sa.select(1).where(_is_due(work, one))).label(f"t{n}") for n, one in enumerate(watched)]
    with work.database.look() as connection:
        row = connection.execute(sa.select(*queries)).one()
    return [one for one, is_there in zip(watched, row, strict=True) if is_there]


def _is_due(work: Work, one: Watched) -> sa.ColumnElement[bool]:
    table = work.database.table(one.cls)
    sql = work.database.model[one.cls].attributes[one.code].sql
    base = f"{sql}_{one.threshold.percent}"
    return sa.and_(
        table.c[f"{sql}_laststart"].is_not(None),
        table.c[f"{base}_triggered"] == 0,
        table.c[f"{base}_deadline"] < work.now,
    )


def _lacking(one: Watched, effects: Effects) -> list[str]:
    """Return the actions of a threshold that cannot be done."""
    return [verb for verb, _ in one.threshold.actions if verb not in effects.actions]


def _is_able(one: Watched, effects: Effects) -> bool:
    """Return whether all actions of a threshold can be done; say so if not."""
    missing = _lacking(one, effects)
    if missing:
        _log.warning(
            "threshold_left_alone",
            cls=one.cls,
            stop_watch=one.code,
            threshold=one.threshold.percent,
            reason=f"itopd cannot do its action {', '.join(missing)} yet",
        )
    return not missing


def _trigger_all(work: Work, writer: Writer, effects: Effects, one: Watched) -> Iterator[Reached]:
    """Yield the objects that were marked as triggered, in the order of their ids."""
    key = work.database.table(one.cls).c[work.database.model[one.cls].key_column]
    due = sa.select(key).where(_is_due(work, one)).order_by(key)
    last = 0

    def look() -> list[int]:
        with work.database.read() as connection:
            return list(connection.execute(due.where(key > last).limit(BATCH)).scalars())

    for batch in batches(work, look):
        last = batch[-1]
        with work.database.write() as connection:
            # Locked and looked at again: somebody may have stopped a watch, or moved a deadline.
            ids = connection.execute(due.where(key.in_(batch)).with_for_update()).scalars().all()
            marked = _trigger(work, connection, writer, effects, one, ids)
        yield from marked


def _trigger(
    work: Work, connection: sa.Connection, writer: Writer, effects: Effects, one: Watched, ids: Sequence[int]
) -> list[Reached]:
    """Do the actions for these objects, mark them and activate the triggers; return those that were marked."""
    database, code, percent = work.database, one.code, one.threshold.percent
    classes = final_classes(database, connection, one.cls, ids)
    reached = {id_: Reached(classes[id_], id_, code, percent) for id_ in ids}
    background = work.change()
    for verb, parameters in one.threshold.actions:
        effects.actions[verb](connection, list(reached.values()), parameters, background)
    records = fetch(database, connection, one.cls, ids, [code])
    updates = [
        Update(found.cls, id_, {code: _marked(records[id_].values[code], percent, work.now)})
        for id_, found in reached.items()
    ]
    mark = Change(MARK, work.user_id, tags=work.tags)
    for outcome in writer.write(connection, updates, mark):
        if outcome.status == "refused":
            del reached[outcome.id]
            reasons = "; ".join(issue.text for issue in outcome.issues)
            _log.error("threshold_not_marked", object=f"{outcome.cls}::{outcome.id}", stop_watch=code, reason=reasons)
    effects.activate(connection, list(reached.values()), mark)
    return list(reached.values())


def _marked(watch: StopWatchState, percent: int, now: str) -> StopWatchState:
    """Return a watch whose threshold was triggered; those that have passed say so."""
    return replace(
        watch,
        thresholds=tuple(
            replace(
                one,
                triggered=one.triggered or one.percent == percent,
                passed=one.passed or bool(one.overrun) or (one.deadline is not None and one.deadline <= now),
            )
            for one in watch.thresholds
        ),
    )
