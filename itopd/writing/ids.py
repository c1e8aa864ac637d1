"""Ids for the creations of a chunk: reserved together where they are foreseen, else ever more at a time."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import sqlalchemy as sa

from itopd.writing.draft import Draft
from itopd.writing.participants import Participants


class Ids:
    """The ids that a chunk has allocated."""

    def __init__(self, participants: Participants, connection: sa.Connection) -> None:
        self._participants = participants
        self._connection = connection
        self._spare: dict[str, list[int]] = defaultdict(list)
        self._allocated: dict[str, int] = defaultdict(int)

    def reserve(self, drafts: Iterable[Draft]) -> None:
        """Give ids to the creations that nothing is known to forbid; one allocation per root class."""
        creations: dict[str, list[Draft]] = defaultdict(list)
        for draft in drafts:
            if draft.new and not draft.problems and self._is_complete(draft):
                creations[draft.layout.cls.root].append(draft)
        for root, of_root in creations.items():
            ids = self._participants.database.allocate_ids(self._connection, root, len(of_root))
            self._allocated[root] += len(of_root)
            for draft, id_ in zip(of_root, ids, strict=True):
                draft.id = id_

    def spare(self, drafts: Iterable[Draft]) -> None:
        """Allocate ids for creations whose drafts are made anew at their turn; one allocation per root class."""
        counts: dict[str, int] = defaultdict(int)
        for draft in drafts:
            counts[draft.layout.cls.root] += draft.new
        for root, count in counts.items():
            if count:
                ids = self._participants.database.allocate_ids(self._connection, root, count)
                self._spare[root] = [*reversed(ids), *self._spare[root]]
                self._allocated[root] += count

    def take(self, root: str) -> int:
        """Return an id for a creation that was not foreseen; allocates ever more at a time, so rarely."""
        spare = self._spare[root]
        if not spare:
            count = max(1, self._allocated[root])
            spare += reversed(self._participants.database.allocate_ids(self._connection, root, count))
            self._allocated[root] += count
        return spare.pop()

    def _is_complete(self, draft: Draft) -> bool:
        """Return whether a creation has all that it requires, or has a behaviour that may give the rest."""
        given = all(code in draft.changes for code in draft.layout.required)
        return given or self._participants.has_behaviour(draft.layout.cls)
