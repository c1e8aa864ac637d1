"""The parameters of an export (``spec/export.md`` §1.1)."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict

from itopd.settings import Switch, parameter, parameter_family


def _read_flag(value: object) -> object:
    """Turn what the filter ``integer`` leaves of a text into yes (any number but 0) or no."""
    return bool(value.strip("+-0")) if isinstance(value, str) else value


def _read_id(value: object) -> object:
    return value or 0


Flag = Annotated[bool, BeforeValidator(_read_flag)]
"""A yes or no that iTop reads as a number."""
Id = Annotated[int, BeforeValidator(_read_id)]
"""A key; 0 when nothing is given."""


class ExportParameters(BaseModel):
    """What is exported, in which form, and where it goes."""

    model_config = ConfigDict(frozen=True)

    expression: str = parameter("", help="OQL query to run", filter="raw_data", multiline=True)
    query: Id = parameter(0, help="id of a query of the phrasebook, instead of expression", filter="integer")
    arguments: dict[str, str] = parameter_family("arg_", help="value of the query's parameter :NAME")
    fields: str = parameter(
        "",
        help="columns, separated by commas: attribute codes, id, key->attribute, alias.attribute; "
        "a phrasebook query may bring its own",
        filter="raw_data",
    )
    format: str = parameter("", help="csv, json or jsonl; default: the extension of output, else csv")
    output: Path | None = parameter(
        None,
        help="file to write; it appears whole or not at all; default: standard output",
        filter="raw_data",
        where=("cli", "file"),
    )
    no_localize: Flag = parameter(
        False, help="1 = attribute codes and stored values instead of labels", filter="integer"
    )
    formatted_text: Flag = parameter(False, help="1 = keep the markup of formatted texts", filter="integer")
    date_format: str = parameter(
        "Y-m-d H:i:s", help="dates, in the letters of PHP's date function (csv)", filter="raw_data"
    )
    separator: str = parameter(",", help="csv: any text, the word tab, or other", filter="raw_data")
    other_separator: str = parameter(
        "", help="csv: the separator when it is 'other'", filter="raw_data", name="other-separator"
    )
    text_qualifier: str = parameter(
        '"', help="csv: any text, or other; empty = no quotes", filter="raw_data", name="text-qualifier"
    )
    other_text_qualifier: str = parameter(
        "", help="csv: the qualifier when it is 'other'", filter="raw_data", name="other-text-qualifier"
    )
    charset: str = parameter("UTF-8", help="csv: character set of the file", filter="raw_data")
    bom: Switch = parameter(False, help="csv: 1 = start with a byte order mark", filter="raw_data")
    guard_formulas: Switch = parameter(
        False, help="csv: 1 = put ' before texts that a spreadsheet would run as a formula", filter="raw_data"
    )
    with_archive: Switch = parameter(False, help="1 = archived objects too", filter="raw_data")

    @property
    def csv_separator(self) -> str:
        """Return the separator that is meant."""
        if self.separator.lower() == "tab":
            return "\t"
        return self.other_separator if self.separator == "other" else self.separator

    @property
    def csv_qualifier(self) -> str:
        """Return the qualifier that is meant."""
        return self.other_text_qualifier if self.text_qualifier == "other" else self.text_qualifier
