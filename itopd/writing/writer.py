"""The writer: chunk by chunk, each under a savepoint of its own."""

from __future__ import annotations

import gc
from collections import ChainMap
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, OperationalError

from itopd.clock import Clock, to_itop
from itopd.database import Database, Unstorable, reason, was_undone
from itopd.rules import Rules
from itopd.writing.chunk import Chunk, LinksRefused
from itopd.writing.deleting import FlushFirst
from itopd.writing.drafting import Tags
from itopd.writing.flush import flush
from itopd.writing.history import History
from itopd.writing.intents import Change, Create, Delete, Intent, Issue, Outcome
from itopd.writing.layout import Layout, layout_of
from itopd.writing.participants import Participants
from itopd.writing.protocols import Behaviour, DeletionRule, Guard, Reaction, Written
from itopd.writing.references import Pointing
from itopd.writing.uniqueness import Clash, describe
from itopd.writing.verdicts import Verdict

CHUNK: Final = 1000
"""Intents written together."""

_VALUE_ERRORS: Final = frozenset({1264, 1265, 1292, 1366, 1406, 1411})
"""Out of range, truncated, wrong date-time, wrong text, too long: see MariaDB's error codes."""

_LIMIT_EXCEEDED: Final = "54000"
"""PostgreSQL's: the key of a text is too long for an index."""

_log = structlog.get_logger(__name__)


class Writer:
    """Writes intents as iTop would, one by one and in order, but in bulk. Made once, used by one thread at a time."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        rules: Rules,
        *,
        guards: Sequence[Guard] = (),
        behaviours: Sequence[Behaviour] = (),
        reactions: Sequence[Reaction] = (),
        deletions: Sequence[DeletionRule] = (),
    ) -> None:
        self._database = database
        self._clock = clock
        self.rules = rules
        self._layouts: dict[str, Layout] = {}
        self._alone_classes: dict[str, bool] = {}
        self._participants = Participants(
            *(database, self._layout, guards, behaviours, reactions, deletions),
            pointing=Pointing(database.model),
        )

    def write(self, connection: sa.Connection, intents: Sequence[Intent], change: Change) -> list[Outcome]:
        """Write the intents within the caller's transaction; return an outcome for each, in their order.

        Nothing is committed. An intent that a rule, a check or the database refuses becomes an outcome, and leaves
        nothing behind; later intents see what the earlier ones did. Raises :class:`~itopd.errors.ModelError` for an
        unknown class or attribute, and whatever makes the whole transaction unusable.
        """
        tags: Tags = {}
        outcomes: list[Outcome] = []
        for chunk in self._chunks(intents):
            with _collector_at_rest():
                outcomes += self._write_whole(connection, chunk, change, tags)
        return outcomes

    def plan(self, connection: sa.Connection, deletion: Delete, change: Change) -> Outcome:
        """Return what a deletion would come to, with its effects; nothing is written, no reaction told.

        Raises as :meth:`write`.
        """
        savepoint = connection.begin_nested()
        try:
            now = to_itop(self._clock.now(), self._database.timezone)
            history = History(self._database, change.again(), now)
            chunk = Chunk(self._participants, connection, history, now, {})
            (outcome,) = self._outcomes(connection, chunk.decide([deletion]))
        finally:
            savepoint.rollback()
        return outcome

    def _chunks(self, intents: Sequence[Intent]) -> Iterator[Sequence[Intent]]:
        """Yield intents that may be decided together: all, but those under a rule that only the database can judge."""
        start = 0
        for position, intent in enumerate(intents):
            alone = self._alone(intent.cls)
            if alone and position > start:
                yield intents[start:position]
                start = position
            if alone or position - start + 1 == CHUNK:
                yield intents[start : position + 1]
                start = position + 1
        if start < len(intents):
            yield intents[start:]

    def _alone(self, cls: str) -> bool:
        known = self._alone_classes.get(cls)
        if known is None:
            layouts = [self._layout(name) for name in self._database.model.get_class(cls).subclasses]
            rules = [rule for layout in layouts for rule in layout.rules]
            known = any(rule.condition is not None and not rule.condition.in_memory for rule in rules)
            self._alone_classes[cls] = known
        return known

    def _write_whole(
        self, connection: sa.Connection, intents: Sequence[Intent], change: Change, tags: Tags
    ) -> list[Outcome]:
        """Write a chunk, in as many parts as its deletions take."""
        outcomes: list[Outcome] = []
        while len(outcomes) < len(intents):
            outcomes += self._write_chunk(connection, intents[len(outcomes) :], change, tags)
        return outcomes

    def _write_chunk(
        self, connection: sa.Connection, intents: Sequence[Intent], change: Change, tags: Tags
    ) -> list[Outcome]:
        """Write a chunk, or its first intents up to a deletion that has to see them written.

        When the database refuses it, write its halves, down to the intent that is to blame.
        """
        before, own_tags = change.id, ChainMap[Hashable, tuple[str, int]]({}, tags)
        savepoint = connection.begin_nested()
        try:
            outcomes, written = self._decide_and_flush(connection, intents, change, own_tags)
        except (
            *(DataError, IntegrityError, OperationalError, OverflowError, UnicodeError, Unstorable),
            *(FlushFirst, LinksRefused),
        ) as error:
            if isinstance(error, OperationalError) and not _is_about_values(error):
                raise
            savepoint.rollback()
            change.id = before
            if len(intents) == 1 and isinstance(error, LinksRefused):
                intent, id_ = intents[0], getattr(intents[0], "id", 0)
                verdict = Verdict("refused", intent.cls, id_ if isinstance(id_, int) else 0, issues=error.issues)
                _note_refusal(intent, tags, self._database.model[intent.cls].root)
                return self._outcomes(connection, [verdict])
            if len(intents) == 1:
                return [_refused_by_database(intents[0], error, tags, self._database.model[intents[0].cls].root)]
            middle = len(intents) // 2
            halves = (intents[:middle], intents[middle:])
            return [outcome for half in halves for outcome in self._write_whole(connection, half, change, tags)]
        savepoint.commit()
        tags.update(own_tags.maps[0])
        for reaction in self._participants.reactions:
            if written:
                _react(connection, reaction, written, change)
        return outcomes

    def _decide_and_flush(
        self, connection: sa.Connection, intents: Sequence[Intent], change: Change, tags: Tags
    ) -> tuple[list[Outcome], list[Written]]:
        now = to_itop(self._clock.now(), self._database.timezone)
        history = History(self._database, change, now)
        chunk = Chunk(self._participants, connection, history, now, tags)
        verdicts = chunk.decide(intents)
        flush(self._database, connection, chunk.working, history, now)
        return self._outcomes(connection, verdicts), chunk.written

    def _outcomes(self, connection: sa.Connection, verdicts: Sequence[Verdict]) -> list[Outcome]:
        """Return the outcomes of verdicts, with the names that messages mention looked up for all together."""
        clashes = [issue for v in verdicts for issue in (*v.issues, *v.warnings) if isinstance(issue, Clash)]
        issues = dict(zip(map(id, clashes), describe(self._database, connection, clashes), strict=True))

        def told(found: Sequence[Issue | Clash]) -> tuple[Issue, ...]:
            return tuple(issues[id(issue)] if isinstance(issue, Clash) else issue for issue in found)

        return [
            Outcome(v.status, v.cls, v.id, v.changes, told(v.issues), told(v.warnings), v.effects) for v in verdicts
        ]

    def _layout(self, name: str) -> Layout:
        layout = self._layouts.get(name)
        if layout is None:
            layout = self._layouts[name] = layout_of(self._database, name)
        return layout


@contextmanager
def _collector_at_rest() -> Iterator[None]:
    """Keep Python's cycle collector from searching a chunk's many short-lived objects, which form no cycles.

    It takes a third of the time otherwise; between chunks it runs as ever.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _refused_by_database(intent: Intent, error: Exception, tags: Tags, root: str) -> Outcome:
    """Return the outcome of the one intent that the database does not take."""
    _note_refusal(intent, tags, root)
    told = reason(error) if isinstance(error, DBAPIError) else error
    id_ = intent.id if not isinstance(intent, Create) and isinstance(intent.id, int) else 0
    issue = Issue(None, "database", f"the database refuses the object: {told}")
    return Outcome("refused", intent.cls, id_, issues=(issue,))


def _note_refusal(intent: Intent, tags: Tags, root: str) -> None:
    """Have later intents of the call know that a creation was refused."""
    if isinstance(intent, Create) and intent.tag is not None:
        tags[intent.tag] = (root, 0)


def _is_about_values(error: OperationalError) -> bool:
    """Return whether an error is about a value of a row, and a savepoint before it is still there."""
    if getattr(error.orig, "sqlstate", None) == _LIMIT_EXCEEDED:
        return True
    return error.orig is not None and not _VALUE_ERRORS.isdisjoint(error.orig.args[:1])


def _react(connection: sa.Connection, reaction: Reaction, written: Sequence[Written], change: Change) -> None:
    """Run a reaction; what fails in it is logged and undone alone (``spec/objects.md`` §8.5)."""
    before = change.id
    savepoint = connection.begin_nested()
    try:
        reaction.react(connection, written, change)
    except Exception as error:  # whatever it is, it is logged and the write goes on
        if isinstance(error, DBAPIError) and was_undone(error):
            raise  # the whole transaction is gone, with what the reaction is about
        savepoint.rollback()
        change.id = before
        _log.exception("reaction_failed", reaction=type(reaction).__name__, objects=len(written))
    else:
        savepoint.commit()
