"""The stream reader gives what iTop's state machine gives, for any text cut into any pieces."""

from __future__ import annotations

import io

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from itopd.errors import InputError, SettingsError
from itopd.tabular import TRIMMED, Dialect, read_csv, read_rows


def reference(text: str, separator: str, qualifier: str) -> list[list[str | None]]:
    """Read as the table of import.md §2 says, one character at a time."""
    text = text.replace("\r\n", "\n")
    rows: list[list[str | None]] = []
    row: list[str | None] = []
    cell, state = "", "start"

    def end_cell() -> None:
        nonlocal cell, state
        done = cell.strip(TRIMMED) if state == "raw" else cell
        row.append(None if done == "<NULL>" else done)
        cell, state = "", "start"

    def end_row() -> None:
        nonlocal row
        end_cell()
        if len(row) != 1 or row[0]:
            rows.append(row)
        row = []

    for char in text:
        if state == "quoted":
            if char == qualifier and char not in (separator, " ", "\t"):
                state = "closed"
            else:
                cell += char
        elif char == separator:
            end_cell()
        elif char in " \t":
            if state == "raw":
                cell += char
        elif char == "\n":
            end_row()
        elif state == "raw":
            cell += char
        elif char == qualifier:
            if state == "closed":
                cell += char
            state = "quoted"
        elif state == "closed":
            cell += char
            state = "start"
        else:
            cell += char
            state = "raw"
    end_row()
    return rows


TEXTS = st.lists(
    st.sampled_from(
        [",", ";", '"', '""', "'", "\n", "\r\n", "\r", " ", "\t", "a", "bc", "<NULL>", "é", "\0", "\x0b", '","', '"x"']
    ),
    max_size=40,
).map("".join)
DIALECTS = st.tuples(st.sampled_from([",", ";", "\t", " ", "'", ""]), st.sampled_from(['"', "'", "", " ", ","]))


@settings(max_examples=600, deadline=None)
@given(TEXTS, DIALECTS, st.integers(1, 7))
@example('"ab"cd,"x" y\n', (",", '"'), 1)
@example('"a"b"c', (",", '"'), 3)
@example('" x"y, z', (",", '"'), 3)
@example("a\r\nb\r", (",", '"'), 2)
def test_equals_the_state_machine_whatever_the_pieces(text: str, dialect: tuple[str, str], piece: int) -> None:
    pieces = [text[at : at + piece] for at in range(0, len(text), piece)]
    rows = [row.cells for row in read_rows(pieces, Dialect(*dialect))]
    assert rows == reference(text, *dialect)


@given(
    st.lists(
        st.lists(st.text(st.characters(exclude_characters="\r", exclude_categories=["Cs"])), min_size=2), max_size=8
    )
)
def test_what_is_written_with_every_cell_quoted_is_read_back(rows: list[list[str]]) -> None:
    text = "".join(",".join('"' + cell.replace('"', '""') + '"' for cell in row) + "\n" for row in rows)
    read = [row.cells for row in read_csv(io.BytesIO(text.encode()), Dialect(), keep_bom=True)]
    assert read == [[None if cell == "<NULL>" else cell for cell in row] for row in rows]


def test_rows_know_the_line_they_begin_on() -> None:
    text = 'h,i\n\n"a\nb",1\r\n"c",2\n'
    assert [row.line for row in read_rows([text], Dialect())] == [1, 3, 5]


def test_skipped_rows_count_blank_ones() -> None:
    assert [row.cells for row in read_rows(["\nh\n1\n"], Dialect(), skip=1)] == [["h"], ["1"]]


def test_a_row_that_never_ends_is_refused_with_its_line() -> None:
    text = 'a,b\n1,"' + "x" * 60 + "\n" + "y" * 60
    with pytest.raises(InputError, match="line 2 is longer than 100") as refused:
        list(read_rows([text], Dialect(), longest_row=100))
    assert refused.value.line == 2
    with pytest.raises(InputError, match="line 1 is longer than 100"):
        list(read_rows(["a\r" * 80], Dialect(), longest_row=100))


@pytest.mark.parametrize("dialect", [(";;", '"'), (",", "''"), ("\n", '"')])
def test_separator_and_qualifier_are_one_character(dialect: tuple[str, str]) -> None:
    with pytest.raises(SettingsError, match="must be one character"):
        Dialect(*dialect)


def test_only_one_piece_and_one_row_are_held() -> None:
    taken = 0

    def pieces() -> object:
        nonlocal taken
        for number in range(1000):
            taken += 1
            yield f"{number},x\n"

    rows = read_rows(pieces(), Dialect())  # type: ignore[arg-type]
    next(rows)
    assert taken == 1
