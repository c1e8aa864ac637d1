"""What the garbage collectors delete, what they keep, and in how many statements."""

from __future__ import annotations

from pathlib import Path

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from itopd.database import Database
from itopd.tasks.bulk_export_result_gc import bulk_export_result_gc
from itopd.tasks.event_notification_newsroom_gc import event_notification_newsroom_gc
from itopd.tasks.inline_image_gc import inline_image_gc
from itopd.tasks.work import BATCH
from tests.tasks.work import NOW, changes, column, insert, work_on


def statements_of(database: Database) -> list[str]:
    """Return a list that every statement is added to from now on."""
    seen: list[str] = []
    sa.event.listen(database.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    return seen


class TestExportResults:
    def test_results_older_than_a_day_go_with_their_files(self, database: Database, tmp_path: Path) -> None:
        for name in ("old.tmp", "edge.tmp", "inside.tmp"):
            (tmp_path / name).write_text("x")
        insert(
            database,
            "BulkExportResult",
            {"created": "2027-02-09 09:59:59", "temp_file_path": "old.tmp"},
            {"created": "2027-02-09 10:00:00", "temp_file_path": "edge.tmp"},
            {"created": "2027-02-09 09:00:00", "temp_file_path": str(tmp_path / "inside.tmp")},
            {"created": "2027-02-01 00:00:00", "temp_file_path": ""},
            {"created": "2027-02-01 00:00:00", "temp_file_path": "gone.tmp"},
        )
        assert bulk_export_result_gc(work_on(database), [tmp_path]) == "Cleaned 4 old export results(s)."
        assert column(database, "BulkExportResult", "temp_file_path") == ["edge.tmp"]
        assert sorted(path.name for path in tmp_path.glob("*.tmp")) == ["edge.tmp"]
        assert changes(database) == []

    def test_no_file_outside_of_the_folders_is_deleted(
        self, database: Database, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "data").mkdir()
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "data"))
        (tmp_path / "secret").write_text("x")
        (tmp_path / "data" / "link").symlink_to(tmp_path / "secret")
        paths = ("../secret", str(tmp_path / "secret"), "link")
        insert(
            database,
            "BulkExportResult",
            *[{"created": "2027-02-01 00:00:00", "temp_file_path": path} for path in paths],
        )
        with capture_logs() as logs:
            assert bulk_export_result_gc(work_on(database), [tmp_path / "data"]).startswith("Cleaned 3 ")
        assert [log["event"] for log in logs] == ["export_file_kept"] * 3
        assert (tmp_path / "secret").exists()

    def test_a_file_that_cannot_be_deleted_keeps_nothing_back(self, database: Database, tmp_path: Path) -> None:
        (tmp_path / "folder").mkdir()
        insert(database, "BulkExportResult", {"created": "2027-02-01 00:00:00", "temp_file_path": "folder"})
        assert bulk_export_result_gc(work_on(database), [tmp_path]) == "Cleaned 1 old export results(s)."


class TestDrafts:
    def test_expired_drafts_go_all_at_once(self, database: Database) -> None:
        insert(
            database,
            "InlineImage",
            {"secret": "old1", "item_id": 0, "expire": "2027-02-10 09:00:00"},
            {"secret": "old2", "item_id": 0, "expire": "2027-02-10 08:00:00"},
            {"secret": "used", "item_id": 5, "expire": "2027-02-10 08:00:00"},
            {"secret": "later", "item_id": 0, "expire": "2027-02-10 10:00:00"},
            {"secret": "for ever", "item_id": 0, "expire": None},
        )
        insert(
            database,
            "Attachment",
            {"temp_id": "a1", "item_id": 0, "expire": "2027-02-10 09:59:59"},
            {"temp_id": "a2", "item_id": 7, "expire": None},
        )
        with capture_logs() as logs:
            message = inline_image_gc(work_on(database))
        assert message == "Cleaned 2 old temporary InlineImage(s) and 1 old temporary Attachment(s)."
        assert column(database, "InlineImage", "secret") == ["used", "later", "for ever"]
        assert column(database, "Attachment", "temp_id") == ["a2"]
        assert [(log["cls"], len(log["ids"])) for log in logs] == [("InlineImage", 2), ("Attachment", 1)]
        assert changes(database) == []

    def test_thousands_cost_a_few_statements(self, database: Database) -> None:
        rows = [{"id": n, "item_id": 0, "expire": "2027-02-10 08:00:00"} for n in range(1, 2 * BATCH + 6)]
        with database.write() as connection:
            connection.execute(sa.insert(database.table("InlineImage")), rows)
        seen = statements_of(database)
        assert inline_image_gc(work_on(database)).startswith("Cleaned 2005 ")
        assert len([text for text in seen if "inline_image" in text]) == 6  # three batches, each found and deleted
        assert column(database, "InlineImage", "id") == []

    def test_when_its_time_is_over_it_ends_after_a_batch(self, database: Database) -> None:
        rows = [{"id": n, "item_id": 0, "expire": "2027-02-10 08:00:00"} for n in range(1, BATCH + 6)]
        with database.write() as connection:
            connection.execute(sa.insert(database.table("InlineImage")), rows)
        assert inline_image_gc(work_on(database, until=NOW)).startswith(f"Cleaned {BATCH} ")
        assert inline_image_gc(work_on(database, should_stop=lambda: True)).startswith("Cleaned 5 ")

    def test_what_was_saved_meanwhile_stays(self, database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
        (id_,) = insert(database, "InlineImage", {"item_id": 0, "expire": "2027-02-10 08:00:00"})
        work = work_on(database)
        write = Database.write

        def saved_first(self: Database) -> object:
            monkeypatch.setattr(Database, "write", write)
            with write(self) as connection:
                table = self.table("InlineImage")
                connection.execute(table.update().where(table.c.id == id_).values(item_id=12))
            return write(self)

        monkeypatch.setattr(Database, "write", saved_first)
        assert inline_image_gc(work).startswith("Cleaned 0 ")
        assert column(database, "InlineImage", "item_id") == [12]


class TestNews:
    def news(self, database: Database, **own: object) -> int:
        (id_,) = insert(database, "Event", {"realclass": "EventNotificationNewsroom", "message": "x"})
        with database.write() as connection:
            connection.execute(sa.insert(database.table("EventNotification")).values(id=id_, realclass="x"))
            connection.execute(sa.insert(database.table("EventNotificationNewsroom")).values(id=id_, **own))
        return id_

    def test_what_was_read_long_ago_goes_from_all_three_tables(self, database: Database) -> None:
        self.news(database, read="yes", read_date="2026-08-12 09:59:59")
        kept = [
            self.news(database, read="yes", read_date="2026-08-12 10:00:00"),
            self.news(database, read="no", read_date="2026-01-01 00:00:00"),
            self.news(database, read="yes", read_date=None),
        ]
        assert event_notification_newsroom_gc(work_on(database), 182) == "1"
        for cls in ("Event", "EventNotification", "EventNotificationNewsroom"):
            assert column(database, cls, "id") == kept

    def test_days_are_days_of_the_calendar(self, database: Database) -> None:
        # The clock went forward in between: 23 hours are one day.
        self.news(database, read="yes", read_date="2027-03-27 10:00:00")
        at = NOW.replace(month=3, day=28, hour=8)  # 10:00 in Paris, summer time
        assert event_notification_newsroom_gc(work_on(database, now=at), 1) == "1"
        assert len(column(database, "Event", "id")) == 1
        assert event_notification_newsroom_gc(work_on(database, now=at.replace(second=1)), 1) == "1"
        assert column(database, "Event", "id") == []
