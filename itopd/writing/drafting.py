"""Intents to drafts: which object an intent is about, what it would set, which ids its tags stand for."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, MutableMapping
from typing import Any

from itopd.access import hash_password
from itopd.attributes import LogEntry, PasswordHash, StoredCaseLog, append_entry, sanitise_html
from itopd.clock import from_itop
from itopd.datamodel import Model
from itopd.errors import ItopdError
from itopd.writing.checks import examine
from itopd.writing.draft import Draft
from itopd.writing.intents import Create, Delete, Intent, Issue, LinkSet, NewEntry, NewPassword, Pending, Update
from itopd.writing.layout import Layout
from itopd.writing.verdicts import Verdict, refused
from itopd.writing.working import Item, Working

Tags = MutableMapping[Hashable, tuple[str, int]]
"""Tag -> root class and id of the object that it stands for; 0 for a refused creation."""


class Drafting:
    """Makes the drafts of one chunk. ``tags`` is read, and extended by :meth:`made`."""

    def __init__(self, model: Model, layout: Callable[[str], Layout], working: Working, now: str, tags: Tags) -> None:
        self._model = model
        self._layout = layout
        self._working = working
        self._now = now
        self._tags = tags
        self._defaults: dict[str, dict[str, Any]] = {}
        self._hashes: dict[tuple[int, str], tuple[Mapping[str, Any], PasswordHash]] = {}
        """Hashes by the values of an intent (their identity, kept alive here) and attribute: hashing is slow."""

    def item(self, intent: Update | Delete) -> Item | None:
        """Return the object that an intent is about, as far as it is loaded and of the class that the intent names."""
        item = self._working.item(self._model[intent.cls].root, self.id_of(intent))
        return item if item is not None and intent.cls in item.layout.cls.lineage else None

    def id_of(self, intent: Update | Delete) -> int:
        """Return the id of the object an update or a deletion is about; 0 while it is not made."""
        if isinstance(intent.id, Pending):
            return self._stands_for(intent.id, self._model[intent.cls].root)
        return intent.id

    def creation(self, cls: str, values: Mapping[str, Any]) -> Draft:
        """Return the draft of a new object."""
        layout = self._layout(cls)
        defaults = self._defaults.get(cls)
        if defaults is None:
            defaults = self._defaults[cls] = layout.defaults(self._now)
        return self._draft(layout, None, values, defaults)

    def update(self, item: Item, values: Mapping[str, Any]) -> Draft:
        """Return the draft of a change of an object as it is now."""
        return self._draft(item.layout, item, values, item.values)

    def _draft(self, layout: Layout, item: Item | None, values: Mapping[str, Any], base: Mapping[str, Any]) -> Draft:
        given, problems = self.resolved(layout, values), examine(layout, values)
        return Draft(layout, item, values, given, problems, base, self._now, self._append)

    def _append(self, log: StoredCaseLog, entry: NewEntry) -> StoredCaseLog:
        """Return a case log with an entry on top; one that says nothing leaves it as it is."""
        body = sanitise_html(entry.body) if entry.format == "html" else entry.body
        if not body.strip():
            return log
        change, zone = self._working.change, self._working.database.timezone
        user_id = entry.user_id if entry.author is not None else change.user_id
        author = entry.author if entry.author is not None else change.author or change.userinfo
        instant = from_itop(self._now, zone)
        return append_entry(log, LogEntry(body, author, str(user_id or ""), instant, entry.format), zone)

    def resolved(self, layout: Layout, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the values but link sets, passwords hashed, with ids for pending keys as far as known, else 0."""
        given: dict[str, Any] = {}
        for code, value in values.items():
            if type(value) is Pending:
                given[code] = self._stands_for(value, layout.keys[code])
            elif type(value) is NewPassword:
                given[code] = self._hashed(values, code)
            elif type(value) is not LinkSet:
                given[code] = value
        return given

    def _hashed(self, values: Mapping[str, Any], code: str) -> PasswordHash:
        """Return the hash of the password among an intent's values; none for what cannot be one, which is refused."""
        known = self._hashes.get((id(values), code))
        if known is None:
            text = values[code].text
            made = PasswordHash(hash_password(text).encode()) if text and "\0" not in text else PasswordHash()
            known = self._hashes[id(values), code] = (values, made)
        return known[1]

    def knows(self, tag: Hashable) -> bool:
        """Return whether an earlier chunk or intent has dealt with the creation of a tag."""
        return tag in self._tags

    def made(self, intent: Create, id_: int) -> None:
        """Note what the tag of a creation stands for; 0 when it was refused."""
        if intent.tag is not None:
            self._tags[intent.tag] = (self._model[intent.cls].root, id_)

    def waiting_in_vain(self, intent: Intent) -> Verdict | None:
        """Return the refusal of an intent that refers to an object whose creation was refused."""
        references: list[tuple[str | None, Pending]] = []
        if not isinstance(intent, Create) and isinstance(intent.id, Pending):
            references.append((None, intent.id))
        if not isinstance(intent, Delete):
            references += [(code, value) for code, value in intent.values.items() if type(value) is Pending]
        issues: list[Issue] = []
        for code, reference in references:
            if reference.tag not in self._tags:
                raise ItopdError(
                    f"an intent on {intent.cls} refers to '{reference.tag}', which no earlier creation makes"
                )
            if not self._tags[reference.tag][1]:
                text = f"{code or 'object'}: the object '{reference.tag}' that it refers to was refused"
                issues.append(Issue(code, "pending_refused", text))
        return refused(intent.cls, 0, *issues) if issues else None

    def _stands_for(self, reference: Pending, root: str) -> int:
        """Return the id of the object of a hierarchy that a tag stands for; 0 while there is none."""
        made, id_ = self._tags.get(reference.tag, (root, 0))
        if made != root:
            raise ItopdError(f"'{reference.tag}' is a {made}, but is used as a {root}")
        return id_
