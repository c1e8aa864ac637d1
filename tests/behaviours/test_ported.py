"""Classes whose PHP behaviour is not ported: which they are, and that they are not written unasked."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from itopd.behaviours import BEHAVIOURS, UnportedGuard, unported_classes
from itopd.behaviours.ported import PORTED, unported_hooks
from itopd.clock import FixedClock
from itopd.database import Database
from itopd.datamodel import bundled_model, load_model
from itopd.errors import RefusedError, SettingsError
from itopd.rules import ITOPD
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
    assert unported_hooks(model["Change"]) == ("DBInsertNoReload", "RegisterEventListeners", "OnInsert", "OnUpdate")
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
    refused = pytest.raises(RefusedError, match=r"UserRequest .*OnInsert.*allow_unported = UserRequest")
    with refused, database.write() as connection:
        writer(database).write(connection, [Create("Brand", {"name": "b"}), ticket], Change("a test"))
    for allowed in ("UserRequest", "Ticket"):
        with database.write() as connection:
            writer(database, allowed).write(connection, [ticket], Change("a test"))
    with database.write() as connection:
        (outcome,) = writer(database).write(connection, [Create("Brand", {"name": "b"})], Change("a test"))
    assert outcome.status == "created"


def test_what_is_allowed_must_be_a_class(database: Database) -> None:
    with pytest.raises(SettingsError, match="allow_unported names 'Tickt'"):
        UnportedGuard(database.model, ["Tickt"])
