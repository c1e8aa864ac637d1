"""Parameters of the import (``spec/import.md`` §1.1)."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict

from itopd.settings import Switch, parameter


class Parameters(BaseModel):
    """iTop's parameters under iTop's names, then itopd's own."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    class_: str = parameter(
        name="class",
        filter="raw_data",
        help="class of the rows; through a parent class objects of any subclass are updated",
    )
    csvfile: str | None = parameter(None, filter="raw_data", where={"cli", "file"}, help="path of the CSV file")
    csvdata: str | None = parameter(None, filter="raw_data", where={"http"}, help="the CSV text itself")
    charset: str = parameter(
        "",
        filter="raw_data",
        help="charset of the file, named as iconv does; empty: the setting csv_file_default_charset",
    )
    date_format: str = parameter(
        "", filter="raw_data", help="how dates are written, in PHP's letters (d/m/Y H:i:s); empty: Y-m-d H:i:s"
    )
    separator: str = parameter(",", filter="raw_data", help="separator of cells: one character, or the word tab")
    qualifier: str = parameter('"', filter="raw_data", help="text qualifier: one character, or empty for none")
    output: str = parameter(
        "summary", filter="raw_data", help="retcode (number of issues), summary, or details (a table of all rows)"
    )
    reconciliationkeys: str = parameter(
        "", filter="raw_data", help="columns by which objects are found, separated by commas; empty: those of the class"
    )
    simulate: Switch = parameter(False, filter="raw_data", help="report what would be done and change nothing")
    comment: str = parameter("", filter="raw_data", help="added to the text of the change history")
    no_localize: str = parameter(
        "0", filter="raw_data", help="1: header and values are codes; 0: labels in the language of the account"
    )
    with_archive: Switch = parameter(False, help="accepted; no class of the model can be archived")
    reportlevel: str = parameter("", filter="raw_data", help="accepted and ignored, as iTop does")
    reconcile: Literal["default", "strict"] = parameter(
        "default", help="strict: declared keys count also when only key->attribute columns give them"
    )
    report: str = parameter(
        "", filter="raw_data", where={"cli", "file"}, help="JSON file to write: every row with its outcome and problems"
    )
    error_file: str = parameter(
        "",
        filter="raw_data",
        where={"cli", "file"},
        help="CSV file to write: the rows with issues and why; repaired, it can be imported",
    )

    def trimmed(self) -> Parameters:
        """Return the same without the blanks at the ends of each text but the data."""
        texts = ((name, value) for name, value in self if isinstance(value, str) and name != "csvdata")
        return self.model_copy(update={name: text.strip(" \t\r\n\0\x0b") for name, text in texts})
