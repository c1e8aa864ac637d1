"""What the writer promises beyond doing what one-by-one writing does."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pymysql
import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from itopd.attributes import Document, PasswordHash, StoredCaseLog
from itopd.behaviours import BEHAVIOURS
from itopd.clock import FixedClock
from itopd.database import Database, Repeats, open_database
from itopd.datamodel import UniquenessRule
from itopd.errors import ItopdError, ModelError
from itopd.objects import fetch
from itopd.rules import ITOPD
from itopd.writing import Change, Create, Draft, Intent, Issue, Outcome, Pending, Present, Update, Veto, Writer, Written
from tests.support.engines import marked, new_database

CLOCK = FixedClock(datetime(2026, 7, 1, 12, 0, tzinfo=UTC))
DEMO = 3


def writer(database: Database, **others: Any) -> Writer:
    return Writer(database, CLOCK, ITOPD, **others)


def person(number: int, **values: Any) -> Create:
    return Create("Person", {"name": f"N{number}", "first_name": f"F{number}", "org_id": DEMO, **values})


def statements(database: Database) -> list[str]:
    """Return a list to which every statement is added that the database is sent from now on."""
    sent: list[str] = []

    @sa.event.listens_for(database.engine, "before_cursor_execute")
    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        sent.append(statement)

    return sent


def count(connection: sa.Connection, database: Database, cls: str) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(database.table(cls))).scalar_one())


def operations(connection: sa.Connection, database: Database, cls: str, id_: int) -> list[dict[str, Any]]:
    """Return the operations on an object, oldest first, with what their tables hold."""
    head = database.table("CMDBChangeOp")
    found: list[dict[str, Any]] = []
    rows = connection.execute(head.select().where(head.c.objclass == cls, head.c.objkey == id_).order_by(head.c.id))
    for row in rows.mappings().all():
        values: dict[str, Any] = {}
        for part in database.model.table_classes(row["optype"]):
            table = database.table(part.name)
            values |= dict(connection.execute(table.select().where(table.c.id == row["id"])).mappings().one())
        found.append({k: v for k, v in values.items() if k not in {"id", "changeid", "objclass", "objkey"}})
    return found


@pytest.mark.parametrize("engine", [marked("postgresql"), marked("mariadb")])
def test_who_grows_a_tree_waits_for_whoever_does(engine: str, tmp_path: Path) -> None:
    """Both would take the same places in the nested set."""
    with new_database(engine, tmp_path) as database, ThreadPoolExecutor(1) as pool:

        def grow(name: str) -> None:
            with database.write() as connection:
                writer(database).write(connection, [Create("Organization", {"name": name})], Change("me"))

        with database.write() as connection:
            writer(database).write(connection, [Create("Organization", {"name": "first"})], Change("me"))
            other = pool.submit(grow, "second")
            with pytest.raises(TimeoutError):
                other.result(timeout=0.3)
        other.result(timeout=90)
        table = database.table("Organization")
        with database.read() as connection:
            columns = (table.c.name, table.c.parent_id_left, table.c.parent_id_right)
            places = connection.execute(sa.select(*columns).order_by(table.c.id)).all()
        assert [tuple(place) for place in places] == [("first", 1, 2), ("second", 3, 4)]


CREATING = 30
UPDATING = 20


def test_a_thousand_creations_cost_a_fixed_number_of_statements(sample: Database) -> None:
    sent = statements(sample)
    with sample.write() as connection:
        change = Change("me")
        creations = [person(n, employee_number=str(n), location_id=1) for n in range(1000)]
        outcomes = writer(sample).write(connection, creations, change)
        assert {outcome.status for outcome in outcomes} == {"created"}
        assert len(sent) <= CREATING
        del sent[:]
        updates = [Update("Contact", o.id, {"phone": "12", "org_id": 2}) for o in outcomes]
        assert {o.status for o in writer(sample).write(connection, updates, change)} == {"updated"}
        assert len(sent) <= UPDATING


def test_objects_that_name_new_ones_of_the_chunk_cost_no_statement_each(sample: Database) -> None:
    """Persons are unique within their organization, which is made by the same call."""
    intents: list[Intent] = []
    for n in range(400):
        intents.append(Create("Organization", {"name": f"O{n}"}, tag=n))
        intents.append(person(n, org_id=Pending(n), employee_number="1"))
    intents.append(person(400, org_id=Pending(7), employee_number="1"))
    sent = statements(sample)
    with sample.write() as connection:
        outcomes = writer(sample).write(connection, intents, Change("me"))
    assert [outcome.status for outcome in outcomes] == ["created"] * 800 + ["refused"]
    assert len(sent) <= CREATING + 10


def test_links_between_new_objects_cost_no_statement_each(sample: Database) -> None:
    intents: list[Intent] = [Create("Team", {"name": "T", "org_id": DEMO}, tag="team")]
    for n in range(300):
        intents.append(replace(person(n), tag=n))
        intents.append(Create("lnkPersonToTeam", {"person_id": Pending(n), "team_id": Pending("team")}))
    intents.append(Create("lnkPersonToTeam", {"person_id": Pending(5), "team_id": Pending("team")}))
    sent = statements(sample)
    with sample.write() as connection:
        outcomes = writer(sample).write(connection, intents, Change("me"))
    assert [outcome.status for outcome in outcomes] == ["created"] * 601 + ["refused"]
    assert len(sent) <= CREATING + 20


def test_refused_rows_cost_no_statement_each(sample: Database) -> None:
    sent = statements(sample)
    with sample.write() as connection:
        links = [Create("lnkPersonToTeam", {"person_id": 2 + n % 5, "team_id": 37}) for n in range(500)]
        outcomes = writer(sample).write(connection, links, Change("me"))
        assert sum(outcome.status == "refused" for outcome in outcomes) >= 495
        assert len(sent) <= CREATING + 5


def test_a_clash_names_the_objects_that_are_linked_already(sample: Database) -> None:
    with sample.write() as connection:
        link = Create("lnkPersonToTeam", {"person_id": 6, "team_id": 37})
        first, second = writer(sample).write(connection, [link, link], Change("me"))
    assert (first.status, second.status) == ("created", "refused")
    (issue,) = second.issues
    assert issue.kind == "not_unique"
    assert "Claude Monet" in issue.text
    assert "Helpdesk" in issue.text
    assert f"::{first.id} " in issue.text


def test_what_the_database_refuses_is_found_and_the_rest_written(sample: Database, monkeypatch: Any) -> None:
    """The column of a name takes 255 characters; a check that lets more through must not cost the other rows."""
    kind = "itopd.attributes.texts.String.check"
    monkeypatch.setattr(kind, lambda _self, _value: None)
    bad = "x" * 300 if sample.dialect == "mysql" else "\ud800"
    creations = [person(n, function=bad if n in {3, 7} else "") for n in range(10)]
    creations[7] = Create("Person", creations[7].values, tag="bad")
    dependent = Create("lnkPersonToTeam", {"person_id": Pending("bad"), "team_id": 37})
    with sample.write() as connection:
        outcomes = writer(sample).write(connection, [*creations, dependent], change := Change("me"))
        assert [n for n, outcome in enumerate(outcomes) if outcome.status == "refused"] == [3, 7, 10]
        assert outcomes[3].issues[0].kind == "database"
        assert outcomes[10].issues[0].kind == "pending_refused"
        changes = sample.table("CMDBChange")
        assert connection.execute(sa.select(changes.c.id).where(changes.c.userinfo == "me")).scalars().all() == [
            change.id
        ]
        assert len(operations(connection, sample, "Person", outcomes[9].id)) == 1


def test_nothing_changed_writes_nothing_not_even_a_change(sample: Database) -> None:
    with sample.write() as connection:
        before = count(connection, sample, "CMDBChange")
        (outcome,) = writer(sample).write(
            connection, [Update("Person", 2, {"first_name": "Pablo"})], change := Change("me")
        )
        assert outcome == Outcome("unchanged", "Person", 2)
        assert change.id is None
        assert count(connection, sample, "CMDBChange") == before


def test_one_change_record_serves_all_chunks_and_calls(sample: Database) -> None:
    with sample.write() as connection:
        before = count(connection, sample, "CMDBChange")
        change = Change("x" * 300, 1, "csv-import.php")
        for start in (0, 10):
            writer(sample).write(connection, [person(start + n) for n in range(3)], change)
        assert count(connection, sample, "CMDBChange") == before + 1
        row = connection.execute(
            sample.table("CMDBChange").select().where(sample.table("CMDBChange").c.id == change.id)
        )
        assert tuple(row.one())[1:] == ("2026-07-01 14:00:00", "x" * 255, 1, "csv-import.php")
        assert change.again() == Change("x" * 300, 1, "csv-import.php")


@pytest.mark.parametrize(
    ("intent", "kind"),
    [
        (Create("FunctionalCI", {"name": "a"}), "abstract_class"),
        (Update("Person", 4711, {"name": "a"}), "not_found"),
        (Update("Team", 2, {"name": "a"}), "not_found"),
        (Update("Person", 2, {"friendlyname": "a"}), "read_only"),
        (Update("Team", 37, {"persons_list": ()}), "read_only"),
        (Update("UserRequest", 4711, {}), "not_found"),
    ],
)
def test_what_cannot_be_written_is_refused_with_its_kind(sample: Database, intent: Any, kind: str) -> None:
    with sample.write() as connection:
        (outcome,) = writer(sample).write(connection, [intent], Change("me"))
    assert outcome.status == "refused"
    assert [issue.kind for issue in outcome.issues] == [kind]


def test_mistakes_of_the_caller_are_errors(sample: Database) -> None:
    with sample.write() as connection:
        mistakes: list[tuple[list[Intent], type[ItopdError]]] = [
            ([Create("Nonsense", {})], ModelError),
            ([Update("Person", 2, {"nonsense": 1})], ModelError),
            ([Update("Person", Pending("x"), {})], ItopdError),
            ([Create("Brand", {"name": "1"}, "x"), Create("Brand", {"name": "2"}, "x")], ItopdError),
            ([Create("Brand", {"name": "1"}, "x"), Update("Person", Pending("x"), {"name": "2"})], ItopdError),
        ]
        for intents, error in mistakes:
            with pytest.raises(error):
                writer(sample).write(connection, intents, Change("me"))
        connection.rollback()


def test_old_operations_of_an_id_that_is_taken_again_are_purged(sample: Database) -> None:
    """Whichever of the next ids the creation takes."""
    head = sample.table("CMDBChangeOp")
    with sample.write() as connection:
        (made,) = writer(sample).write(connection, [person(1)], Change("me"))
        connection.rollback()
    stale = [
        {
            "id": 9000 + 10 * n + kind,
            "changeid": 1,
            "objkey": made.id + n,
            "objclass": cls,
            "optype": f"CMDBChangeOp{op}",
        }
        for n in range(3)
        for kind, (cls, op) in enumerate([("Contact", "Delete"), ("Person", "Create"), ("Team", "Create")])
    ]
    with sample.write() as connection:
        connection.execute(head.insert(), stale)
        (again,) = writer(sample).write(connection, [person(1)], Change("me"))
        kept = connection.execute(sa.select(head.c.id).where(head.c.id.between(9000, 9099))).scalars()
        purged = {row["id"] for row in stale} - set(kept)
    assert purged == {row["id"] for row in stale if row["objkey"] == again.id and row["objclass"] != "Team"}
    assert len(purged) == 2


def test_each_kind_of_attribute_is_recorded_in_its_tables(sample: Database) -> None:
    with sample.write() as connection:
        write = writer(sample).write
        change = Change("me")
        log = StoredCaseLog("\n== \n\nnew", b"a:2:{i:0;a:0:{}i:1;a:0:{}}")
        write(connection, [Update("UserLocal", 1, {"password": PasswordHash(b"$2y$x", b""), "log": log})], change)
        write(connection, [Update("Person", 2, {"picture": Document(b"\0\xff", "image/png", "p.png")})], change)
        one, two = operations(connection, sample, "UserLocal", 1)[-2:]
        (picture,) = operations(connection, sample, "Person", 2)[-1:]
    by_code = {operation["attcode"]: operation for operation in (one, two, picture)}
    assert by_code["log"]["lastentry"] == 1
    assert by_code["log"]["optype"] == "CMDBChangeOpSetAttributeCaseLog"
    assert by_code["password"]["prev_pwd_hash"].startswith(b"$2y$")
    assert by_code["picture"]["optype"] == "CMDBChangeOpSetAttributeBlob"
    assert "prevdata_downloads_count" in by_code["picture"]


def test_a_default_of_now_is_the_instant_of_the_write(database: Database) -> None:
    event = {"message": "m", "issue": "i", "impact": "p", "page": "p"}
    with database.write() as connection:
        (made,) = writer(database).write(connection, [Create("EventIssue", event)], Change("me"))
        assert made.issues == ()
        stored = fetch(database, connection, "EventIssue", [made.id])[made.id]
    assert stored.values["date"] == "2026-07-01 14:00:00"


@dataclass
class Frozen:
    """A guard under which phones cannot change."""

    seen: list[int] = field(default_factory=list)

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Veto:
        del present
        self.seen.append(len(drafts))
        return lambda draft: [Issue("phone", "locked", "phone is locked")] if draft.changed("phone") else []


def test_a_guard_sees_the_chunk_once_and_vetoes_object_by_object(sample: Database) -> None:
    guard = Frozen()
    with sample.write() as connection:
        update = Update("Person", 2, {"function": "f"})
        intents: list[Intent] = [Update("Person", 2, {"phone": "1"}), update, person(1, phone="")]
        outcomes = writer(sample, guards=[guard]).write(connection, intents, Change("me"))
    assert [outcome.status for outcome in outcomes] == ["refused", "updated", "created"]
    assert guard.seen == [3]


@dataclass
class Noted:
    """A reaction that remembers, and fails when told to."""

    database: Database
    fails: bool = False
    written: list[Written] = field(default_factory=list)

    def react(self, connection: sa.Connection, written: Sequence[Written], change: Change) -> None:
        self.written += written
        Writer(self.database, CLOCK, ITOPD).write(connection, [Create("Brand", {"name": "made by a reaction"})], change)
        if self.fails:
            raise RuntimeError("no mail today")


def test_reactions_see_what_was_written(sample: Database) -> None:
    reaction = Noted(sample)
    with sample.write() as connection:
        intents: list[Intent] = [
            person(1),
            Update("Person", 2, {"phone": "1"}),
            Update("Person", 2, {"phone": "1"}),
            Create("Person", {}),
        ]
        writer(sample, reactions=[reaction]).write(connection, intents, Change("me"))
    created, updated = reaction.written
    assert (created.cls, created.created, created.values["name"]) == ("Person", True, "N1")
    assert (updated.id, updated.old, updated.values["phone"]) == (2, {"phone": ""}, "1")


def test_a_failing_reaction_is_logged_and_undone_alone(sample: Database) -> None:
    with sample.write() as connection:
        brands = count(connection, sample, "Brand")
        with capture_logs() as logs:
            (outcome,) = writer(sample, reactions=[Noted(sample, fails=True)]).write(
                connection, [person(1)], Change("me")
            )
        assert outcome.status == "created"
        assert outcome.id in fetch(sample, connection, "Person", [outcome.id])
        assert count(connection, sample, "Brand") == brands
    assert [entry["event"] for entry in logs] == ["reaction_failed"]


def test_a_reaction_that_loses_a_dead_lock_takes_the_write_with_it(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has undone the whole transaction by then: whoever began it has to begin again."""

    class Loser:
        def react(self, *_: object) -> None:
            raise sa.exc.OperationalError("", {}, pymysql.err.OperationalError(1213, "Deadlock found"))

    monkeypatch.setattr(Repeats, "pause", lambda *_: 0.0)
    attempts: list[int] = []

    def work(connection: sa.Connection) -> list[Outcome]:
        attempts.append(1)
        reactions = [Loser()] if len(attempts) == 1 else []
        return writer(database, reactions=reactions).write(connection, [Create("Brand", {"name": "B"})], Change("me"))

    assert [outcome.status for outcome in database.transact(work)] == ["created"]
    assert len(attempts) == 2
    with database.read() as connection:
        assert count(connection, database, "Brand") == 1


@pytest.mark.parametrize(
    ("condition", "statuses"),
    [
        ("name LIKE 'x%'", ["created", "created", "created", "refused"]),
        ("name IN ('a', 'X1')", ["created", "refused", "created", "refused"]),
        ("ISNULL(brand_id) OR name != 'a' AND brand_id > 0", ["created", "created", "created", "refused"]),
    ],
)
def test_the_condition_of_a_rule_decides_whom_it_is_about(
    sample: Database, condition: str, statuses: list[str]
) -> None:
    """In memory where that is possible, else by the database, one object at a time."""
    rule = UniquenessRule("odd", "Model", ("name",), condition)
    odd = replace(sample.model["Model"], uniqueness_rules=(rule,))
    model = replace(sample.model, classes={**sample.model.classes, "Model": odd})
    url = sample.engine.url.render_as_string(hide_password=False)
    database = open_database(url, model, sample.timezone)
    try:
        with database.write() as connection:
            values = {"brand_id": 11, "type": "Server"}
            creations = [Create("Model", {**values, "name": name}) for name in ("a", "A", "x1", "X1")]
            outcomes = writer(database).write(connection, creations, Change("me"))
            connection.rollback()
    finally:
        database.close()
    assert [outcome.status for outcome in outcomes] == statuses


def test_states_and_attribute_codes_are_those_of_the_class_that_is_named(sample: Database) -> None:
    def written(cls: str, **values: Any) -> list[tuple[str | None, str]]:
        with sample.write() as connection:
            given = {"description": "d", "complement": "", **values}
            (outcome,) = writer(sample).write(connection, [Create(cls, given)], Change("t"))
            return [(issue.code, issue.kind) for issue in outcome.issues]

    assert written("TriggerOnStateEnter", target_class="UserRequest", state="resolved") == []
    assert written("TriggerOnStateEnter", target_class="Ticket", state="resolved") == []
    assert written("TriggerOnStateEnter", target_class="UserRequest", state="solved") == [
        ("state", "value_not_allowed"),
    ]
    assert written("TriggerOnObjectUpdate", target_class="Person", target_attcodes=("email", "name")) == []
    assert written("TriggerOnObjectUpdate", target_class="Person", target_attcodes=("friendlyname", "name")) == [
        ("target_attcodes", "unknown_set_value"),
    ]
    watch: dict[str, Any] = {"target_class": "UserRequest", "threshold_index": "100"}
    assert written("TriggerOnThresholdReached", **watch, stop_watch_code=("ttr",)) == []
    assert written("TriggerOnThresholdReached", **watch, stop_watch_code=("title",)) == [
        ("stop_watch_code", "unknown_set_value"),
    ]


def test_the_class_alone_may_make_a_state_wrong(sample: Database) -> None:
    with sample.write() as connection:
        values = {"description": "d", "target_class": "UserRequest", "state": "approved"}
        (made,) = writer(sample).write(connection, [Create("TriggerOnStateEnter", values)], Change("t"))
        assert made.issues == ()
        change = Update("Trigger", made.id, {"target_class": "Incident"})
        (outcome,) = writer(sample).write(connection, [change], Change("t"))
    assert [(issue.code, issue.kind) for issue in outcome.issues] == [("state", "value_not_allowed")]
    assert "approved: no state of class Incident" in outcome.issues[0].text


def test_a_refusal_says_what_the_rule_means_and_who_has_the_values(sample: Database) -> None:
    with sample.write() as connection:
        first, second, brand = writer(sample).write(
            connection,
            [
                Create("Brand", {"name": "Acme"}, tag="brand"),
                Create("Brand", {"name": "ACME"}),
                Create("Model", {"name": "M1", "brand_id": Pending("brand"), "type": "Server"}),
            ],
            Change("t"),
        )
        assert (first.issues, brand.issues) == ((), ())
        assert [(issue.kind, issue.text) for issue in second.issues] == [
            (
                "not_unique",
                f"a brand of this name exists: Brand::{first.id} already has name 'ACME'; uniqueness rule 'name'",
            )
        ]
        team = Create("Team", {"name": "T", "org_id": DEMO}, tag="team")
        link = Create("lnkPersonToTeam", {"team_id": Pending("team"), "person_id": 1})
        *_, linked, again = writer(sample).write(connection, [team, link, link], Change("t"))
    assert linked.issues == ()
    (issue,) = again.issues
    assert issue.text.startswith(
        f"the two are linked, and may be linked once: lnkPersonToTeam::{linked.id} already has Team 'T', Person "
    )


def test_a_tag_set_holds_tags_that_exist(sample: Database) -> None:
    tag = "TagSetFieldDataFor_FAQ__domains"

    def faq(*tags: str) -> Create:
        return Create("FAQ", {"title": "t", "category_id": Pending("category"), "domains": tags})

    with sample.write() as connection:
        *_, known, unknown, made_later = writer(sample, behaviours=BEHAVIOURS).write(
            connection,
            [
                Create("FAQCategory", {"name": "c"}, tag="category"),
                Create(tag, {"code": "newtag", "label": "New"}),
                faq("newtag"),
                faq("newtag", "nothing"),
                faq(),
            ],
            Change("t"),
        )
    assert (known.issues, made_later.issues) == ((), ())
    assert [(issue.code, issue.kind) for issue in unknown.issues] == [("domains", "unknown_tag")]
    assert "called nothing" in unknown.issues[0].text
    with sample.write() as connection:
        (stored,) = writer(sample).write(connection, [Update("FAQ", known.id, {"domains": ()})], Change("t"))
        (again,) = writer(sample).write(connection, [Update("FAQ", known.id, {"domains": ("newtag",)})], Change("t"))
    assert (stored.status, again.status) == ("updated", "updated")
