"""Classes whose PHP behaviour is not ported: which they are, and that they are not written unasked."""

from __future__ import annotations

import dataclasses
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest

from itopd.behaviours import BEHAVIOURS, UnportedGuard, unported_classes, what_is_lost
from itopd.behaviours.ported import PORTED, unported_hooks
from itopd.clock import FixedClock
from itopd.database import Database
from itopd.datamodel import bundled_model, load_model
from itopd.datamodel.declaration import HOOKS
from itopd.errors import RefusedError
from itopd.rules import ITOPD
from itopd.users import PERFORMED
from itopd.writing import Change, Create, Writer
from tests.support.sample import REFERENCE, require_shared

CLOCK = FixedClock(datetime(2026, 2, 3, 9, 0, tzinfo=UTC))


def writer(database: Database, *allowed: str) -> Writer:
    guard = UnportedGuard(database.model, allowed)
    return Writer(database, CLOCK, ITOPD, guards=[guard], behaviours=BEHAVIOURS)


def test_what_is_ported_exists() -> None:
    model = bundled_model()
    for name, hooks in PORTED.items():
        assert hooks <= {hook for hook, owner in model[name].php_behaviour.items() if owner == name}


def test_only_hooks_of_creations_and_updates_that_are_not_ported_count() -> None:
    model = bundled_model()
    assert unported_hooks(model["Person"]) == ("RegisterEventListeners",)
    assert unported_hooks(model["Change"]) == ("RegisterEventListeners",)
    assert unported_hooks(model["ActionEmail"]) == ()
    assert unported_hooks(model["AsyncSendEmail"]) == ()
    classes = unported_classes(model)
    assert "Ticket" not in classes, "an abstract class has no objects of its own"
    assert classes["UserRequest"] == unported_hooks(model["UserRequest"])
    assert "Server" not in classes


@pytest.mark.shared
def test_hooks_of_an_attached_itop_are_found_in_its_own_xml(tmp_path: Path) -> None:
    require_shared()
    text = (REFERENCE / "datamodel.xml").read_text()
    assert unported_classes(load_model(REFERENCE / "datamodel.xml")).keys().isdisjoint({"Server", "Person", "Team"})
    methods = '<methods><method id="AfterInsert"/><method id="GetAttributeFlags"/></methods>'
    altered = tmp_path / "datamodel-production.xml"
    start = text.index('<class id="Contact"')
    end = text.index(">", start) + 1
    altered.write_text(text[:end] + methods + text[end:])
    classes = unported_classes(load_model(altered))
    assert classes["Person"] == classes["Team"] == ("AfterInsert", "GetAttributeFlags")
    assert "Server" not in classes


def test_an_unported_class_is_refused_until_it_or_a_parent_is_allowed(database: Database) -> None:
    ticket = Create("UserRequest", {"title": "t", "description": "d", "org_id": 1})
    refused = pytest.raises(RefusedError, match=r"(?s)UserRequest .*RegisterEvent.*allow_unported = UserRequest$")
    with refused, database.write() as connection:
        writer(database).write(connection, [Create("Brand", {"name": "b"}), ticket], Change("a test"))
    for allowed in ("UserRequest", "Ticket"):
        with database.write() as connection:
            writer(database, allowed).write(connection, [ticket], Change("a test"))
    with database.write() as connection:
        (outcome,) = writer(database).write(connection, [Create("Brand", {"name": "b"})], Change("a test"))
    assert outcome.status == "created"


def test_the_refusal_says_what_would_be_lost_for_every_class_and_the_line_that_allows_them_all(
    database: Database,
) -> None:
    ticket = Create("UserRequest", {"title": "t", "description": "d", "org_id": 1})
    person = Create("Person", {"name": "n", "first_name": "f", "org_id": 1})
    with pytest.raises(RefusedError) as refusal, database.write() as connection:
        writer(database, "Change").write(connection, [ticket, person], Change("a test"))
    lines = refusal.value.message.split("\n")
    assert lines[0].startswith("writing to UserRequest, Person is refused: ")
    assert lines[1].startswith("  UserRequest: ")
    assert "the links of the impact analysis; its stop watches do not run" in lines[1]
    assert lines[2].endswith("(RegisterEventListeners of Person)")
    assert lines[-1] == "  allow_unported = Change, UserRequest, Person"


def test_what_a_hook_of_an_extension_does_is_told_by_its_name() -> None:
    model = bundled_model()
    ours = dataclasses.replace(model["Brand"], php_behaviour={"AfterInsert": "Brand", "OnInsert": "Typology"})
    assert what_is_lost(ours, unported_hooks(ours)) == (
        "what follows a creation, such as writes to other objects (AfterInsert of Brand); "
        "values that it completes before a creation (OnInsert of Typology)"
    )


def test_every_hook_that_a_model_may_name_has_a_text() -> None:
    cls = bundled_model()["Brand"]
    for hook in HOOKS:
        ours = dataclasses.replace(cls, php_behaviour={hook: "Brand"})
        if unported_hooks(ours):
            assert what_is_lost(ours, [hook]).endswith(f"({hook} of Brand)")


def test_an_operation_that_does_the_work_of_hooks_itself_may_write(database: Database) -> None:
    person = Create("Person", {"name": "n", "first_name": "f", "org_id": 1})
    guard = UnportedGuard(database.model, ())
    for performed, written in (
        ({"Person": frozenset({"OnInsert"})}, False),
        ({"Person": frozenset({"RegisterEventListeners"})}, True),
    ):
        writer_ = Writer(database, CLOCK, ITOPD, guards=[guard.performing(performed)], behaviours=BEHAVIOURS)
        refused = nullcontext() if written else pytest.raises(RefusedError, match=r"RegisterEventListeners of Person")
        with refused, database.write() as connection:
            writer_.write(connection, [person], Change("a test"))


def test_what_the_operations_on_accounts_do_themselves_is_all_that_their_classes_have() -> None:
    model = bundled_model()
    for name in ("UserLocal", "UserExternal", "URP_UserProfile", "URP_UserOrg"):
        assert unported_hooks(model[name], PERFORMED) == ()
    for name, hooks in PERFORMED.items():
        assert frozenset(hooks) <= {hook for hook, owner in model[name].php_behaviour.items() if owner == name}
