"""Imports in the language of the account: names of columns, values, the report."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from itopd.dictionary import bundled_dictionary
from itopd.errors import InputError
from itopd.service import Context
from tests.imports.calls import ADMIN, import_rows, make_context
from tests.support.sample import new_sqlite

FRENCH = {
    "Class:Person": "Personne",
    "Class:Organization/Attribute:name": "Nom organisation",
    "Class:Organization/Attribute:code": "Code",
    "Class:Contact/Attribute:name": "Nom",
    "Class:Contact/Attribute:org_id": "Organisation",
    "Class:Contact/Attribute:notify": "Notification",
    "Class:Contact/Attribute:notify/Value:yes": "oui",
    "Class:Contact/Attribute:notify/Value:no": "non",
    "Class:Person/Attribute:first_name": "Prénom",
    "Class:Contact/Attribute:status/Value:inactive": "Inactif",
}


@pytest.fixture
def french(tmp_path: Path) -> Iterator[Context]:
    account = replace(ADMIN, language="FR FR")
    with new_sqlite(tmp_path) as database:
        assert import_rows(make_context(database), "Organization", "name,code\nHouse,H\n").result.exit_code == 0
        dictionary = bundled_dictionary(database.model).with_texts({"FR FR": FRENCH}).in_language(account.language)
        yield replace(make_context(database, account=account), dictionary=dictionary)


def test_columns_keys_and_values_are_read_in_the_language_of_the_account(french: Context) -> None:
    data = "nom,prénom,Organisation->Nom organisation,Notification,Status\nMonet,Claude,House,non,Inactif\n"
    made = import_rows(french, "Person", data, no_localize="0", reconciliationkeys="Nom,Prénom", output="details")
    assert made.outcomes == ["created"], made.output
    head, row = made.output.splitlines()[-2:]
    labels = ["org_id (Organisation - ext key)", "name (Nom)", "first_name (Prénom)", "notify (Notification)"]
    assert head.split(";")[4:] == [*labels, "status (Status)"]
    assert row == f'0;créé;Person;{made.report["rows"][0]["id"]};1;"Monet";"Claude";"no";"inactive"'


def test_english_names_are_none_in_french(french: Context) -> None:
    with pytest.raises(InputError, match="Unknown column: 'Last Name'"):
        import_rows(french, "Person", "Last Name\nMonet\n", no_localize="0", reconciliationkeys="Nom")


def test_the_report_says_what_became_of_rows_in_french(french: Context) -> None:
    data = "name,first_name,org_id->name,function\nMonet,Claude,House,peintre\nManet,Édouard,Nowhere,peintre\n"
    import_rows(french, "Person", "name,first_name,org_id->name\nMonet,Claude,House\n")
    marks = [row["status"] for row in import_rows(french, "Person", data).report["rows"]]
    assert marks == ["1 colonnes mises à jour", "Erreur: some cells cannot be taken"]
    again = import_rows(french, "Person", data.replace("Manet,Édouard,Nowhere,peintre\n", ""))
    assert [row["status"] for row in again.report["rows"]] == ["inchangé"]
