"""What the header of a file means."""

from __future__ import annotations

import pytest

from itopd.datamodel import bundled_model
from itopd.dictionary import bundled_dictionary
from itopd.errors import InputError, SettingsError
from itopd.imports.header import (
    Header,
    Names,
    default_reconciliation,
    explicit_reconciliation,
    ignored_keys,
    known_names,
    read_header,
)
from itopd.rules import ITOP, ITOPD, Rules

MODEL = bundled_model()


def names_of(cls: str, *, localized: bool = False, ids: bool = True) -> Names:
    return known_names(MODEL, MODEL[cls], bundled_dictionary(MODEL) if localized else None, ids=ids)


def header_of(cls: str, *cells: str, localized: bool = False, rules: Rules = ITOPD) -> Header:
    names = names_of(cls, localized=localized, ids=rules.id_columns)
    return read_header(MODEL, MODEL[cls], cells, names, rules)


def codes(header: Header) -> list[str]:
    return [column.code for column in header.columns]


def test_names_are_trimmed_starred_and_without_case() -> None:
    header = header_of("Person", " NAME* ", "First_Name*", "org_id*->Name", "Manager_Id->email*")
    assert codes(header) == ["name", "first_name", "org_id->name", "manager_id->email"]


def test_labels_are_names_and_codes_are_not_when_localized() -> None:
    header = header_of("Person", "Last Name", "Organization->Name", "Organization", localized=True)
    assert codes(header) == ["name", "org_id->name", "org_id"]
    with pytest.raises(InputError, match=r"Unknown column: 'first_name' .*give no_localize=1"):
        header_of("Person", "first_name", localized=True)


def test_an_external_field_stands_for_its_key() -> None:
    header = header_of("Person", "name", "org_name", "location_name")
    assert [(key.attribute.code, key.codes) for key in header.keys] == [
        ("org_id", ("name",)),
        ("location_id", ("name",)),
    ]
    assert [column.code for column in header.values] == ["name"]


def test_columns_of_one_key_come_together_and_an_id_is_a_value_too() -> None:
    header = header_of("Person", "org_id->name", "name", "org_id")
    assert [(key.attribute.code, key.codes) for key in header.keys] == [("org_id", ("name", "id"))]
    assert [column.code for column in header.values] == ["name", "org_id"]


def test_a_label_of_two_attributes_means_the_first_and_warns() -> None:
    names = names_of("BusinessProcess", localized=True)
    assert names.ambiguous == {"application solutions": ("applicationsolution_list", "applicationsolutions_list")}


def test_only_ascii_letters_are_without_case() -> None:
    with pytest.raises(InputError, match="Unknown column"):
        header_of("Person", "NAMÉ")


@pytest.mark.parametrize("column", ["id", "org_id->id"])
def test_ids_are_columns_unless_the_rules_are_itops(column: str) -> None:
    assert codes(header_of("Person", column)) == [column]
    with pytest.raises(InputError, match="Unknown column"):
        header_of("Person", column, rules=ITOP)


def test_an_unknown_column_is_refused_with_the_nearest_name() -> None:
    with pytest.raises(InputError, match=r"Unknown column: 'fist_name' .did you mean 'first_name'") as refused:
        header_of("Person", "name", "fist_name")
    assert (refused.value.exit_code, refused.value.column) == (65, "fist_name")
    with pytest.raises(InputError, match="Unknown column: ''"):
        header_of("Person", "name", "")
    with pytest.raises(InputError, match="give charset=UTF-8"):
        header_of("Person", "\u00ef\u00bb\u00bfname")


def test_a_column_given_twice_is_refused_or_the_last_one_wins() -> None:
    with pytest.raises(InputError, match="columns 1 and 3 both give 'name'"):
        header_of("Person", "name", "phone", "name")
    header = header_of("Person", "name", "phone", "name", rules=ITOP)
    assert codes(header) == ["name", "phone", "name"]
    assert [(column.code, column.position) for column in header.values] == [("name", 2), ("phone", 1)]


@pytest.mark.parametrize(
    ("cls", "column", "word"),
    [
        ("Team", "persons_list", "link sets"),
        ("UserRequest", "public_log", "case logs"),
        ("UserLocal", "password", "passwords"),
        ("Person", "picture", "images"),
        ("DocumentFile", "file", "files"),
        ("FAQ", "domains", "tag sets"),
        ("UserRequest", "ttr", "stop watch"),
    ],
)
def test_columns_of_types_that_cannot_be_imported_are_refused(cls: str, column: str, word: str) -> None:
    with pytest.raises(InputError, match=f"Column '{column}' cannot be imported: .*{word}"):
        header_of(cls, column)


def test_a_key_cannot_be_looked_up_by_what_is_not_stored() -> None:
    with pytest.raises(InputError, match=r"Column 'location_id->org_name' cannot be imported.*like location_id->name"):
        header_of("Person", "location_id->org_name")


def test_the_columns_of_an_error_file_are_passed_over() -> None:
    header = header_of("Person", "name", "#line", "#column", "#code", "#reason")
    assert codes(header) == ["name"]
    assert header.width == 5


def test_default_keys_are_those_that_are_columns_literally() -> None:
    header = header_of("Person", "name", "first_name", "email", "org_id->name")
    keys = default_reconciliation(header, strict=False)
    assert [key.code for key in keys] == ["name", "first_name", "email"]
    assert ignored_keys(header, keys) == ("org_id",)
    assert [key.code for key in default_reconciliation(header, strict=True)] == [
        "name",
        "first_name",
        "org_id",
        "email",
    ]


def test_default_keys_take_ids_and_external_fields() -> None:
    by_id = default_reconciliation(header_of("Person", "name", "org_id"), strict=False)
    assert [(key.code, key.detail) for key in by_id] == [("name", None), ("org_id", "id")]
    by_field = default_reconciliation(header_of("Person", "name", "org_name"), strict=False)
    assert [(key.code, key.detail) for key in by_field] == [("name", None), ("org_id", "org_id (org_name)")]
    assert [key.code for key in default_reconciliation(header_of("Person", "id", "name"), strict=False)] == ["id"]


def test_without_any_default_key_the_request_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"No reconciliation scheme.*'Person'.*name,first_name,org_id"):
        default_reconciliation(header_of("Person", "phone", "org_id->name"), strict=False)


def test_explicit_keys_are_trimmed_and_empty_items_skipped() -> None:
    header = header_of("Person", "name", "first_name", "org_id->name")
    names = names_of("Person")
    keys, _ = explicit_reconciliation(header, " , NAME ,org_id->name,,", names)
    assert [(key.code, key.detail) for key in keys] == [("name", None), ("org_id", "name")]
    keys, _ = explicit_reconciliation(header, "org_id", names)
    assert [(key.code, key.detail) for key in keys] == [("org_id", "id")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,nam", "Unknown reconciliation key: 'nam'; did you mean 'name'"),
        ("email", "Reconciliation key not found in the input columns: 'email'"),
        (" , ", "names no column"),
    ],
)
def test_explicit_keys_must_be_columns(text: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        explicit_reconciliation(header_of("Person", "name"), text, names_of("Person"))
