"""What is wrong with values and keys (``spec/objects.md`` §5.2). The kinds are iTop's, the wording is ours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from itopd.attributes import HistoryKind, Refused, RefusedKind, codes_of_class
from itopd.datamodel import Model
from itopd.errors import ModelError
from itopd.writing.draft import Draft
from itopd.writing.intents import Issue, LinkSet, NewEntry, NewPassword, Pending
from itopd.writing.layout import Layout
from itopd.writing.working import Working


def examine(layout: Layout, values: Mapping[str, Any]) -> dict[str, Issue]:
    """Return what is wrong with given values whatever the object is: size, pattern, list, read-only (§5.2)."""
    problems: dict[str, Issue] = {}
    types, mandatory = layout.types, layout.mandatory
    for code, value in values.items():
        if type(value) is LinkSet:
            continue  # its writes are checked one by one
        kind = types.get(code)
        if kind is None or not kind.attribute.writable or kind.attribute.mapped_attribute:
            problems[code] = _read_only(layout, code)
        elif type(value) is Pending:
            if code not in layout.keys:
                raise ModelError(f"{layout.cls.name}.{code} is no external key: it cannot hold a pending object")
        elif type(value) is NewEntry:
            if kind.history is not HistoryKind.CASE_LOG:
                raise ModelError(f"{layout.cls.name}.{code} is no case log: it takes no entries")
        elif type(value) is NewPassword:
            if kind.history is not HistoryKind.ONE_WAY_PASSWORD:
                raise ModelError(f"{layout.cls.name}.{code} keeps no hash: it takes no password")
            if not value.text or "\0" in value.text:
                problems[code] = _no_password(code)
        elif kind.is_null(value):
            if code in mandatory:
                problems[code] = _null(code)
        elif refused := kind.check(value):
            problems[code] = _refused(code, refused)
    return problems


def value_issues(draft: Draft, working: Working) -> Iterator[Issue]:
    """Yield what is wrong with the values a draft would write, keys included (§5.2)."""
    layout, changes, problems = draft.layout, draft.changes, draft.problems
    if draft.new:
        for code in layout.required:
            if code not in changes:
                yield _null(code)
    for code, problem in problems.items():
        if code not in draft.hooked and (code in changes or code not in layout.types):
            yield problem
    if draft.hooked or draft.entries:
        yield from _made_issues(draft)
    if layout.about_classes:
        yield from _class_issues(draft, working.model)
    if layout.tag_sets:
        yield from _tag_issues(draft, working)
    for code, root in layout.keys.items():
        if code in changes and changes[code] and code not in problems:
            target = changes[code]
            if working.target(root, target) is None:
                name = layout.cls.attributes[code].target
                yield Issue(code, "target_not_found", f"{code}: target object not found ({name}::{target})")
            elif code in layout.trees and not draft.new:
                origin = layout.cls.attributes[code].origin
                if working.trees[origin, code].encloses(draft.id, target):
                    yield Issue(
                        code,
                        "value_not_allowed",
                        f"{code}: value not allowed [{target}], the object cannot lie below itself",
                    )


def _class_issues(draft: Draft, model: Model) -> Iterator[Issue]:
    """Yield what names no state or no attribute of the class that the object is about."""
    for code, holder in draft.layout.about_classes.items():
        value, named = draft.value(code), draft.value(holder)
        if not value or named not in model or not (code in draft.changes or holder in draft.changes):
            continue
        attribute = draft.cls.attributes[code]
        allowed = codes_of_class(attribute, named, model)
        unknown = [one for one in ((value,) if isinstance(value, str) else value) if one not in allowed]
        if unknown:
            kind = RefusedKind.VALUE_NOT_ALLOWED if isinstance(value, str) else RefusedKind.UNKNOWN_SET_VALUE
            what = "state" if attribute.type == "AttributeClassState" else "attribute allowed here"
            yield Issue(code, kind.value, f"{code}: {', '.join(unknown)}: no {what} of class {named}")


def _tag_issues(draft: Draft, working: Working) -> Iterator[Issue]:
    """Yield tags that do not exist."""
    for code in draft.layout.tag_sets:
        if code not in draft.changes or code in draft.problems or not draft.changes[code]:
            continue
        known = working.tag_codes(draft.cls.attributes[code])
        unknown = [tag for tag in draft.changes[code] if tag not in known]
        if unknown:
            text = f"{code}: no tag of {draft.cls.name} is called {', '.join(unknown)}"
            yield Issue(code, RefusedKind.UNKNOWN_TAG.value, text)


def _made_issues(draft: Draft) -> Iterator[Issue]:
    """Yield what is wrong with values that behaviours have set, and with logs that have grown."""
    for code in (draft.hooked | draft.entries.keys()) & draft.changes.keys():
        kind, value = draft.layout.types[code], draft.changes[code]
        if kind.is_null(value):
            if code in draft.layout.mandatory:
                yield _null(code)
        elif refused := kind.check(value):
            yield _refused(code, refused)


def _refused(code: str, refused: Refused) -> Issue:
    return Issue(code, refused.kind.value, f"{code}: {refused.text}")


def _no_password(code: str) -> Issue:
    text = f"{code}: a password cannot be empty or hold a NUL"
    return Issue(code, RefusedKind.WRONG_FORMAT.value, text)


def _null(code: str) -> Issue:
    return Issue(code, "null", f"{code}: a value is required")


def _read_only(layout: Layout, code: str) -> Issue:
    attribute = layout.cls.attribute(code)
    if attribute.is_link_set:
        return Issue(code, "read_only", f"{code}: links are written as objects of class {attribute.linked_class}")
    return Issue(code, "read_only", f"{code}: the attribute is computed and cannot be set")
