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
    StopWatchState,
    StoredCaseLog,
    ThresholdState,
    bind,
)
from itopd.datamodel import NOW, Attribute, Threshold, bundled_model
from itopd.errors import ModelError

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
