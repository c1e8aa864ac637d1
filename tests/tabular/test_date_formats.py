"""Dates in PHP's letters, read and written."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.errors import SettingsError
from itopd.tabular import date_part, format_php_date, modern_format, read_format, stored_writer, time_part

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime.fromisoformat("2026-11-23 14:15:16")


@pytest.mark.parametrize(
    ("text", "date", "time"),
    [
        ("d/m/Y H:i:s", "d/m/Y", "H:i:s"),
        ("H:i:s d/m/y", "d/m/y", "H:i:s"),
        ("D d F", "d", ""),
        ("H:i", "", "H:i"),
        ("\\Y Y", "Y", ""),
        ("h:i A, j.n.y", "j.n.y", "h:i A"),
    ],
)
def test_parts_of_a_format(text: str, date: str, time: str) -> None:
    assert (date_part(text), time_part(text)) == (date, time)


@pytest.mark.parametrize(
    ("fmt", "cell", "stored"),
    [
        ("d/m/Y H:i:s", "29/02/2024 23:59:01", "2024-02-29 23:59:01"),
        ("%d/%m/%Y %H:%i:%s", "29/02/2024 23:59:01", "2024-02-29 23:59:01"),
        ("j.n.y", "1.2.69", "2069-02-01 00:00:00"),
        ("j.n.y", "1.2.70", "1970-02-01 00:00:00"),
        ("Y-m-d g:i a", "2024-01-01 12:05 am", "2024-01-01 00:05:00"),
        ("Y-m-d h:i A", "2024-01-01 12:05 PM", "2024-01-01 12:05:00"),
        ("Y-m-d h:i A", "2024-01-01 01:05 PM", "2024-01-01 13:05:00"),
        ("Y-m-d", "2024-01-01", "2024-01-01 00:00:00"),
        ("\\d d.m.Y", "d 03.04.2024", "2024-04-03 00:00:00"),
        ("d/m/Y", "30/02/2024", None),
        ("d/m/Y", "1/02/2024", None),
        ("j/n/Y", "01/2/2024", None),
        ("d/m/Y", "01/02/2024 ", None),
        ("d/m/Y H:i", "01/02/2024", None),
        ("G:i d/m/Y", "24:00 01/02/2024", None),
        ("d/m/Y", "0\u0661/02/2024", None),
    ],
)
def test_strict_reading(fmt: str, cell: str, stored: str | None) -> None:
    assert read_format(fmt).read_datetime(cell) == stored


@pytest.mark.parametrize(
    ("fmt", "cell", "stored"),
    [
        ("d/m/Y", "30/02/2024", "2024-03-01 14:15:16"),
        ("d/m/Y H:i", "31/04/2023 08:09", "2023-05-01 08:09:00"),
        ("Y", "2024", "2024-11-23 14:15:16"),
        ("m/Y", "02/2023", "2023-02-23 14:15:16"),
        ("d/m", "31/12", "2026-12-31 14:15:16"),
        ("x", None, None),
    ],
)
def test_lenient_reading_rolls_over_and_takes_the_rest_from_now(fmt: str, cell: str | None, stored: str | None) -> None:
    if cell is None:
        with pytest.raises(SettingsError, match="holds no letter"):
            read_format(fmt)
    else:
        assert read_format(fmt).read_datetime(cell, now=NOW) == stored


def test_a_format_says_which_parts_of_the_date_it_lacks() -> None:
    assert read_format("m/Y H:i").missing_date_parts() == ("day",)


@pytest.mark.parametrize(
    ("fmt", "text"),
    [
        ("d j m n Y y", "03 3 02 2 2024 24"),
        ("H G h g i s a A", "15 15 03 3 04 05 pm PM"),
        ("D l N w S z W o t L", "Sat Saturday 6 6 rd 33 05 2024 29 1"),
        ("F M", "February Feb"),
        ("e T P p O Z I U", "Europe/Paris CET +01:00 +01:00 +0100 3600 0 1706969045"),
        ("c", "2024-02-03T15:04:05+01:00"),
        ("r", "Sat, 03 Feb 2024 15:04:05 +0100"),
        ("B u v", "627 000000 000"),
        ("\\Y\\\\d % é \\", "Y\\03 % é \\"),
    ],
)
def test_every_letter_of_php_is_written(fmt: str, text: str) -> None:
    assert format_php_date(fmt, datetime(2024, 2, 3, 15, 4, 5, tzinfo=PARIS)) == text
    assert stored_writer(fmt, PARIS)("2024-02-03 15:04:05") == text


@pytest.mark.parametrize(
    "day", [(1, "st"), (2, "nd"), (3, "rd"), (4, "th"), (11, "th"), (12, "th"), (13, "th"), (21, "st")]
)
def test_ordinal_suffixes(day: tuple[int, str]) -> None:
    assert format_php_date("S", datetime(2024, 1, day[0], tzinfo=UTC)) == day[1]


def test_stored_dates_without_a_time_and_odd_ones() -> None:
    assert stored_writer("d/m/Y H:i", PARIS)("2024-02-03") == "03/02/2024 00:00"
    assert stored_writer("j/m/Y", PARIS)("2024-02-03") == "3/02/2024"
    assert stored_writer("Y-m-d", PARIS)("2024-02-03 15:04:05") == "2024-02-03"
    for odd in ("2024-2-9", "0000-00-00 00:00:0", ""):
        assert stored_writer("d/m/Y", PARIS)(odd) == odd
        assert stored_writer("j/m/Y", PARIS)(odd) == odd
    assert stored_writer("j/m/Y", PARIS)("2024-02-31") == "2024-02-31"


def test_the_old_style_is_replaced_only_for_its_letters() -> None:
    assert modern_format("%d/%m/%y %M") == "d/m/y %M"
    assert modern_format("d/m/y") == "d/m/y"


COMPLETE = st.sampled_from(
    ["d/m/Y H:i:s", "Y-m-d H:i:s", "j.n.Y G:i:s", "h:i:s A d-m-Y", "s i H d m Y", "g i s a n j Y"]
)


@given(
    st.datetimes(datetime.fromisoformat("1000-01-01"), datetime.fromisoformat("9999-12-30")).map(
        lambda m: m.replace(microsecond=0)
    ),
    COMPLETE,
)
def test_what_is_written_is_read_back(moment: datetime, fmt: str) -> None:
    text = format_php_date(fmt, moment)
    assert read_format(fmt).read(text) == moment
    assert read_format(fmt).read(text, now=NOW) == moment
    assert stored_writer(fmt, PARIS)(moment.isoformat(" ")) == text
