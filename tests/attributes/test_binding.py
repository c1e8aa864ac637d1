"""Every attribute of the bundled model has its behaviour, and its values survive storing."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.attributes import (
    AttributeType,
    Column,
    ColumnKind,
    Document,
    Encrypted,
    HistoryKind,
    PasswordHash,
    Refused,
    StopWatchState,
    StoredCaseLog,
    ThresholdState,
    bind,
)
from itopd.database.copying.values import Limits, Trouble, rule_of
from itopd.datamodel import NOW, Attribute, Threshold, bundled_model
from itopd.errors import ModelError
from itopd.rules import ITOPD

INSTANT = "2026-03-29 12:34:56"


def make(kind: str, **facts: object) -> AttributeType:
    return bind(Attribute("a", kind, "C", **{"sql": "a", **facts}))  # type: ignore[arg-type]


def test_every_attribute_of_the_bundled_model_is_bound_and_its_default_survives_storing() -> None:
    for cls in bundled_model().values():
        for attribute in cls.attributes.values():
            bound = bind(attribute)
            assert bind(attribute) is bound
            value = bound.default(INSTANT)
            stored = bound.encode(value)
            assert len(stored) == len(bound.columns), attribute
            assert bool(bound.columns) == attribute.is_stored, attribute
            if bound.columns:
                read = bound.decode(stored)
                assert bound.equal(read, value) or (read is False and value is None), attribute
                assert bound.check(value) is None, attribute
                assert isinstance(bound.to_text(value), str)
                assert isinstance(bound.history_text(value), str)


def test_an_unknown_type_is_refused_by_name() -> None:
    with pytest.raises(ModelError, match=r"C\.a has the type 'AttributeCustomFields'"):
        bind(Attribute("a", "AttributeCustomFields", "C"))


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=50)
CODES = st.sets(st.sampled_from(["aaa", "bbb", "ccc"])).map(lambda codes: tuple(sorted(codes)))
INSTANTS = st.datetimes().map(lambda d: d.strftime("%Y-%m-%d %H:%M:%S").zfill(19))
SECONDS = st.integers(0, 2**31)
WATCHES = st.builds(
    StopWatchState,
    SECONDS,
    st.none() | INSTANTS,
    st.none() | INSTANTS,
    st.none() | INSTANTS,
    st.tuples(
        st.builds(ThresholdState, st.just(75), st.none() | INSTANTS, st.booleans(), st.booleans(), st.none() | SECONDS)
    ),
)
VALUES: list[tuple[AttributeType, st.SearchStrategy[object]]] = [
    (make("AttributeString"), TEXT),
    (make("AttributeText", format="html"), TEXT),
    (make("AttributeLongText"), TEXT),
    (make("AttributeEnum", values=("x", "y")), st.sampled_from(["x", "y", None])),
    (make("AttributeInteger"), st.none() | st.integers(-(2**31), 2**31 - 1)),
    (make("AttributeDecimal", digits=8, decimals=2), st.none() | st.decimals("-999999.99", "999999.99", places=2)),
    (make("AttributeBoolean"), st.booleans()),
    (make("AttributeDate"), st.none() | INSTANTS.map(lambda text: text[:10])),
    (make("AttributeDateTime"), st.none() | INSTANTS),
    (make("AttributeExternalKey"), st.integers(0, 2**31 - 1)),
    (make("AttributeHierarchicalKey"), st.integers(0, 2**31 - 1)),
    (make("AttributeEnumSet", values=("aaa", "bbb", "ccc")), CODES),
    (make("AttributeTagSet"), CODES),
    (make("AttributeBlob"), st.builds(Document, st.binary(), TEXT, TEXT, SECONDS)),
    (make("AttributeCaseLog"), st.builds(StoredCaseLog, TEXT, st.binary(min_size=1))),
    (make("AttributeOneWayPassword"), st.builds(PasswordHash, st.binary(), st.binary())),
    (make("AttributeEncryptedString"), st.builds(Encrypted, st.binary())),
    (make("AttributeStopWatch", thresholds=(Threshold(75),)), WATCHES),
]


@given(st.data())
def test_every_value_survives_storing(data: st.DataObject) -> None:
    bound, values = data.draw(st.sampled_from(VALUES))
    value = data.draw(values)
    assert bound.decode(bound.encode(value)) == value


LONG = st.integers(0, 3000).map(lambda length: "é" * length)
HUGE = st.integers(0, 70_000).map(lambda length: "\U0001f600" * length)
LENGTHY: list[tuple[AttributeType, st.SearchStrategy[object]]] = [
    (make("AttributeString"), LONG),
    (make("AttributeString", max_size=900), LONG),
    (make("AttributeURL"), LONG),
    (make("AttributePassword"), LONG),
    (make("AttributeText", format="html"), HUGE),
    (make("AttributeRedundancySettings"), LONG),
    (make("AttributeDecimal", digits=8, decimals=3), st.decimals(allow_nan=True, allow_infinity=True)),
    (make("AttributeDecimal", digits=8, decimals=3), st.decimals("99999.9990", "99999.9999")),
    (make("AttributeDecimal", digits=40, decimals=10), st.decimals(-(10**30), 10**30)),
    (make("AttributeInteger"), st.integers()),
    (make("AttributeDuration"), st.integers()),
    (make("AttributeExternalKey"), st.integers()),
    (make("AttributeEnumSet"), st.lists(LONG, max_size=3).map(tuple)),
    (make("AttributeTagSet"), st.lists(LONG, max_size=3).map(tuple)),
    (make("AttributeBlob"), st.builds(Document, st.binary(), LONG, LONG)),
    (make("AttributeImage"), st.builds(Document, st.binary(), LONG.map("image/".__add__), LONG)),
    (make("AttributeCaseLog"), st.builds(StoredCaseLog, HUGE, HUGE.map(str.encode))),
    (make("AttributeOneWayPassword"), st.builds(PasswordHash, LONG.map(str.encode), LONG.map(str.encode))),
    (make("AttributeEncryptedString"), st.builds(Encrypted, LONG.map(str.encode))),
]


@given(st.data())
def test_whatever_the_check_lets_pass_fits_its_columns_on_every_engine(data: st.DataObject) -> None:
    """Else one engine refuses what the next one stores, and a copy between them stops."""
    bound, values = data.draw(st.sampled_from(LENGTHY + VALUES))
    value = data.draw(values)
    if value is None or bound.check(value) is not None:
        return
    for column, part in zip(bound.columns, bound.encode(value), strict=True):
        for engine in ("mysql", "postgresql"):
            fault = rule_of(column, Limits(engine, 10**8)).fault(part) if part is not None else None
            assert fault is None or fault.trouble is Trouble.NUL


@pytest.mark.parametrize(
    ("bound", "value"),
    [
        (make("AttributeDecimal", digits=8, decimals=3), Decimal("99999.9995")),
        (make("AttributeDecimal", digits=8, decimals=3), Decimal("NaN")),
        (make("AttributeBlob"), Document(b"x", "text/plain", "n" * 256)),
        (make("AttributeImage"), Document(b"x", "image/png", "n" * 256)),
        (make("AttributeCaseLog"), StoredCaseLog("x", b"i" * 65_536)),
        (make("AttributeOneWayPassword"), PasswordHash(b"h" * 256)),
        (make("AttributeEncryptedString"), Encrypted(b"e" * 256)),
        (make("AttributeTagSet"), ("t" * 128, "u" * 128)),
        (make("AttributeString", max_size=900), "x" * 256),
    ],
)
def test_what_a_column_cannot_hold_is_refused_before_it_is_written(bound: AttributeType, value: object) -> None:
    assert bound.check(value) is not None


@pytest.mark.parametrize("text", ["99999.9995", "1" * 6, "-99999.9999"])
def test_a_number_that_rounding_makes_too_great_is_refused(text: str) -> None:
    with pytest.raises(Refused, match="digits before the point"):
        make("AttributeDecimal", digits=8, decimals=3).parse(text, ITOPD)


def test_a_number_of_many_digits_is_read_and_stored_exactly() -> None:
    bound = make("AttributeDecimal", digits=65, decimals=30)
    text = "1" * 35 + "." + "2" * 30
    assert bound.to_text(bound.decode(bound.encode(bound.parse(text, ITOPD)))) == text


@pytest.mark.parametrize(
    ("bound", "columns"),
    [
        (make("AttributeString", default="x"), [Column("a", ColumnKind.VARCHAR, 255, default="x")]),
        (make("AttributeURL"), [Column("a", ColumnKind.VARCHAR, 2048, default="")]),
        (make("AttributePassword"), [Column("a", ColumnKind.VARCHAR, 64, default="")]),
        (make("AttributeHTML"), [Column("a", ColumnKind.LONGTEXT)]),
        (make("AttributeDuration", default=7), [Column("a", ColumnKind.UNSIGNED)]),
        (
            make("AttributeText", format="html"),
            [
                Column("a", ColumnKind.TEXT),
                Column("a_format", ColumnKind.ENUM, values=("text", "html"), default="text"),
            ],
        ),
        (
            make("AttributeDecimal", digits=8, decimals=3, default=0),
            [Column("a", ColumnKind.DECIMAL, 8, 3, (), "0.000")],
        ),
        (make("AttributeCaseLog"), [Column("a", ColumnKind.LONGTEXT), Column("a_index", ColumnKind.BLOB)]),
    ],
)
def test_columns_are_those_of_itop(bound: AttributeType, columns: list[Column]) -> None:
    assert list(bound.columns) == columns


def test_a_hierarchical_key_writes_its_key_and_leaves_the_nested_set_to_others() -> None:
    bound = make("AttributeHierarchicalKey")
    assert [column.name for column in bound.columns] == ["a"]
    assert [column.name for column in bound.kept_columns] == ["a_left", "a_right"]


def test_a_mandatory_date_time_starts_now_and_a_date_takes_the_day_of_it() -> None:
    assert make("AttributeDateTime", default=NOW).default(INSTANT) == INSTANT
    assert make("AttributeDate", default=NOW).default(INSTANT) == INSTANT[:10]
    assert make("AttributeDateTime").default(INSTANT) is None


@pytest.mark.parametrize(
    ("bound", "value", "text", "history"),
    [
        (make("AttributeBoolean"), True, "yes", "1"),
        (make("AttributeBoolean"), False, "no", "0"),
        (make("AttributeBoolean"), None, "", ""),
        (make("AttributeDecimal", digits=8, decimals=2), Decimal("10.00"), "10.00", "10.00"),
        (make("AttributeDecimal", digits=12, decimals=2), Decimal("1E+3"), "1000", "1000"),
        (make("AttributeEnumSet"), ("a", "b"), "a|b", "a b"),
        (make("AttributeInteger"), None, "", ""),
        (make("AttributeExternalKey"), 0, "0", "0"),
        (make("AttributeOneWayPassword"), PasswordHash(b"$2y$"), "", ""),
        (make("AttributeCaseLog"), StoredCaseLog("whole text"), "whole text", "whole text"),
    ],
)
def test_text_forms(bound: AttributeType, value: object, text: str, history: str) -> None:
    assert bound.to_text(value) == text
    assert bound.history_text(value) == history


@pytest.mark.parametrize(
    ("bound", "kind"),
    [
        (make("AttributeText"), HistoryKind.TEXT),
        (make("AttributeText", format="html"), HistoryKind.HTML),
        (make("AttributeOQL"), HistoryKind.TEXT),
        (make("AttributeLongText"), HistoryKind.LONG_TEXT),
        (make("AttributeHTML"), HistoryKind.HTML),
        (make("AttributeURL"), HistoryKind.URL),
        (make("AttributeTagSet"), HistoryKind.TAG_SET),
        (make("AttributeEnum"), HistoryKind.SCALAR),
        (make("AttributeImage"), HistoryKind.BLOB),
        (make("AttributeStopWatch"), HistoryKind.NONE),
    ],
)
def test_history_kinds(bound: AttributeType, kind: HistoryKind) -> None:
    assert bound.history is kind


def test_secrets_do_not_show_in_representations() -> None:
    assert "geheim" not in repr(PasswordHash(b"geheim")) + repr(Encrypted(b"geheim"))


def test_downloads_are_no_change_of_a_file() -> None:
    assert make("AttributeBlob").equal(Document(b"x", "a/b", "f", 1), Document(b"x", "a/b", "f", 2))


def test_dates_of_zeros_read_as_unset() -> None:
    assert make("AttributeDate").decode(("0000-00-00",)) is None
    assert make("AttributeDateTime").decode(("0000-00-00 00:00:00",)) is None
