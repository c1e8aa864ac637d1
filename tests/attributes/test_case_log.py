"""Case logs: text and index always fit each other (spec/objects.md 3.1)."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.attributes import LogEntry, StoredCaseLog, append_entries, append_entry, read_entries
from itopd.php import serialize

PARIS = ZoneInfo("Europe/Paris")
INSTANT = datetime(2026, 11, 23, 12, 19, 58, tzinfo=UTC)


def test_an_entry_is_stored_as_in_itop() -> None:
    log = append_entry(
        StoredCaseLog(), LogEntry("<p>first words</p>", "My first name My last name", "1", INSTANT, "html"), PARIS
    )
    assert (
        log.text
        == "\n========== 2026-11-23 13:19:58 : My first name My last name (1) ============\n\n<p>first words</p>"
    )
    assert log.index.decode() == (
        'a:1:{i:0;a:6:{s:9:"user_name";s:26:"My first name My last name";s:7:"user_id";s:1:"1";'
        f's:4:"date";i:{int(INSTANT.timestamp())};s:11:"text_length";i:18;s:16:"separator_length";i:79;s:6:"format";s:4:"html";}}}}'
    )


def test_an_unknown_author_has_no_id() -> None:
    log = append_entry(StoredCaseLog(), LogEntry("x", "cron", "", INSTANT), PARIS)
    assert " : cron () ====" in log.text
    assert b's:7:"user_id";N;' in log.index


def test_an_entry_needs_its_instant() -> None:
    with pytest.raises(ValueError, match="instant"):
        append_entry(StoredCaseLog(), LogEntry("x"), PARIS)


def test_what_one_author_says_in_one_write_is_one_entry() -> None:
    said = [("one", "Ann", "1"), ("two", "Ann", "1"), ("three", "Bob", "2"), ("four", "Ann", "1")]
    entries = [LogEntry(body, author, id_, INSTANT, "html") for body, author, id_ in said]
    log = append_entries(append_entry(StoredCaseLog(), entries[0], PARIS), entries, PARIS)
    read = [(entry.author, entry.body) for entry in read_entries(log)]
    assert read == [("Ann", "four"), ("Bob", "three"), ("Ann", "one\ntwo"), ("Ann", "one")]


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
ENTRIES = st.lists(
    st.builds(
        LogEntry,
        WORDS,
        WORDS,
        st.integers(1, 9999).map(str) | st.just(""),
        st.datetimes(datetime(1971, 1, 1), datetime(2037, 1, 1), timezones=st.just(UTC)).map(  # noqa: DTZ001
            lambda instant: instant.replace(microsecond=0)
        ),
        st.sampled_from(["html", "text"]),
    ),
    max_size=5,
)


@given(ENTRIES, st.sampled_from(["", "an old entry", "é\n"]))
def test_entries_read_back_newest_first(entries: list[LogEntry], legacy: str) -> None:
    log = StoredCaseLog(legacy)
    for entry in entries:
        log = append_entry(log, entry, PARIS)
    expected = [*reversed(entries), *([LogEntry(legacy)] if legacy else [])]
    assert list(read_entries(log)) == expected


@given(ENTRIES.filter(bool), st.binary(max_size=60) | st.just(b'a:1:{i:0;a:1:{s:11:"text_length";i:9999;}}'))
def test_an_index_that_does_not_fit_is_not_believed_and_the_text_is_kept(entries: list[LogEntry], index: bytes) -> None:
    log = StoredCaseLog()
    for entry in entries:
        log = append_entry(log, entry, PARIS)
    assert [entry.body for entry in read_entries(StoredCaseLog(log.text, index))] == [log.text]
    longer = append_entry(StoredCaseLog(log.text, index), LogEntry("new", "A", "1", INSTANT), PARIS)
    assert [entry.body for entry in read_entries(longer)] == ["new", log.text]


@pytest.mark.parametrize("date", [2**62, -(2**62), 10**12])
def test_an_entry_dated_by_no_calendar_has_no_instant(date: int) -> None:
    index = serialize([{"user_name": "x", "date": date, "text_length": 1, "separator_length": 3}])
    (entry,) = read_entries(StoredCaseLog("\n= a", index))
    assert (entry.body, entry.author, entry.instant) == ("a", "x", None)
