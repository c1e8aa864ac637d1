"""Parameters files: iTop's byte rules, itopd's exact form, several files, files that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.errors import EXIT_DONE, MissingFile, SettingsError
from itopd.rules import ITOP, ITOPD, Rules
from itopd.settings import ParameterFile, UnreadableParameterFile, parse_parameters, read_parameter_files
from itopd.settings.files import LARGEST

BOTH = pytest.mark.parametrize("rules", [ITOP, ITOPD], ids=["itop", "itopd"])


def parse(text: str | bytes, rules: Rules = ITOPD) -> ParameterFile:
    return parse_parameters(text.encode() if isinstance(text, str) else text, "a.params", rules)


@BOTH
@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        ("auth_pwd=secret", "auth_pwd", "secret"),
        ("auth_pwd = a=b", "auth_pwd", "a=b"),
        ("auth_pwd =a=b", "auth_pwd", "a=b"),
        ("auth_pwd= a=b", "auth_pwd", "a=b"),
        ("k = x =", "k", "x ="),
        ('filter=SELECT Server WHERE name = "x"', "filter", 'SELECT Server WHERE name = "x"'),
        ("=v", "", "v"),
        ("--verbose=1", "--verbose", "1"),
        ("a=1\rb=2", "a", "1\rb=2"),
        ("pwd=pa#ss", "pwd", "pa"),
        ('quoted="a # b"', "quoted", '"a'),
        ("url=https://h/x#y", "url", "https://h/x"),
        ("\0\x0b a=\x0b1\0", "a", "1"),
        ("a=\x0c1\x0c", "a", "\x0c1\x0c"),
        ("a = \u00a0x\u00a0", "a", "\u00a0x\u00a0"),
        ("a\x0c=1", "a", "1"),
        ("a=b c=d", "a", "b c=d"),
        ("empty=", "empty", ""),
    ],
)
def test_a_line_gives_the_key_and_value_that_itop_reads(line: str, key: str, value: str, rules: Rules) -> None:
    assert dict(parse(line, rules).values) == {key: value}


@pytest.mark.parametrize(
    ("line", "greedy", "first"),
    [
        ("auth_pwd=a=b", ("auth_pwd=a", "b"), ("auth_pwd", "a=b")),
        ("a= =b", ("a=", "b"), ("a", "=b")),
        ("a==b", ("a=", "b"), ("a", "=b")),
        ("two==", ("two=", ""), ("two", "=")),
        ("url=http://h/?p=1&q=2", ("url=http://h/?p=1&q", "2"), ("url", "http://h/?p=1&q=2")),
    ],
)
def test_a_key_ends_where_its_author_meant_or_in_compatible_mode_where_itop_ends_it(
    line: str, greedy: tuple[str, str], first: tuple[str, str]
) -> None:
    for rules, expected in ((ITOP, greedy), (ITOPD, first)):
        read = parse(line, rules)
        assert list(read.values.items()) == [expected]
        assert "put blanks around the first '='" in read.warnings[0]


@BOTH
@pytest.mark.parametrize("line", ["a b=c", "export k=v", "k:v", "[section]", "no equal sign"])
def test_a_line_that_sets_nothing_is_told(line: str, rules: Rules) -> None:
    read = parse(f"\n# heading\n{line}\n", rules)
    assert not read.values
    assert read.warnings == ("a.params:3: ignored, it is no line 'key = value'",)


def test_each_value_keeps_its_file_and_line_and_the_last_one_wins() -> None:
    read = parse("a=1\nb=2\na=3\n")
    assert dict(read.values) == {"a": "3", "b": "2"}
    assert {key: str(origin) for key, origin in read.sources.items()} == {"a": "a.params:3", "b": "a.params:2"}


@BOTH
def test_the_exact_form_holds_what_a_plain_line_cannot(rules: Rules) -> None:
    read = parse('auth_pwd := " pa#ss=\\u00e9\\n "  # a comment', rules)
    assert dict(read.values) == {"auth_pwd": " pa#ss=é\n "}
    assert not read.warnings


@pytest.mark.parametrize("line", ["k := 12", "k := 'x'", 'k := "x" y', 'k := "x'])
def test_a_wrong_exact_form_is_refused_or_in_compatible_mode_ignored_as_itop_does(line: str) -> None:
    with pytest.raises(SettingsError, match=r"a\.params:1: after ':=' a JSON string is expected"):
        parse(line)
    read = parse(line, ITOP)
    assert not read.values
    assert "line ignored" in read.warnings[0]


def test_a_line_that_only_looks_like_the_exact_form_stays_what_it_was() -> None:
    assert dict(parse('a=b := "c"', ITOP).values) == {"a": 'b := "c"'}
    assert dict(parse('k = x := "c"').values) == {"k": 'x := "c"'}


@BOTH
def test_a_password_cut_at_a_hash_is_told_without_showing_it(rules: Rules) -> None:
    warning = parse("auth_pwd = pa#ss", rules).warnings[0]
    assert "cut at its '#'" in warning
    assert "pa#" not in warning
    assert not parse("auth_pwd = pass # of the importer", rules).warnings
    assert not parse("colour = red#dark", rules).warnings


@BOTH
def test_bytes_that_are_no_utf8_are_refused_with_their_line_except_in_comments(rules: Rules) -> None:
    assert dict(parse(b"# caf\xe9\na=1 # \xe9", rules).values) == {"a": "1"}
    with pytest.raises(SettingsError, match=r"a\.params:2: not UTF-8"):
        parse(b"a=1\nb=caf\xe9", rules)


@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(data: bytes) -> None:
    for rules in (ITOP, ITOPD):
        try:
            read = parse(data, rules)
        except SettingsError:
            continue
        assert read.values.keys() == read.sources.keys()


PLAIN_TEXT = st.text(alphabet=[chr(code) for code in range(32, 127) if chr(code) != "#"] + ["é", "日"]).map(str.strip)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,8}", fullmatch=True), PLAIN_TEXT))
def test_what_is_written_with_blanks_around_the_equal_sign_is_read_back(values: dict[str, str]) -> None:
    text = "".join(f"{key} = {value}\n" for key, value in values.items())
    for rules in (ITOP, ITOPD):
        assert dict(parse(text, rules).values) == values


def test_later_files_win_and_blanks_empty_items_and_zero_count_as_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.params").write_text("a=A\nc=1\n")
    (tmp_path / "b.params").write_text("b=2\na=B\n")
    monkeypatch.chdir(tmp_path)
    read = read_parameter_files(" a.params ,0, b.params ,,", ITOPD)
    assert dict(read.values) == {"a": "B", "b": "2", "c": "1"}
    assert str(read.sources["a"]) == "b.params:2"


def test_a_missing_file_stops_the_reading_and_keeps_what_was_read(tmp_path: Path) -> None:
    (tmp_path / "a.params").write_text("a=A\n")
    with pytest.raises(UnreadableParameterFile, match=r"Could not find the parameter file: '.*no<such>'") as caught:
        read_parameter_files(f"{tmp_path}/a.params,{tmp_path}/no<such>,{tmp_path}/b.params", ITOPD)
    assert dict(caught.value.loaded.values) == {"a": "A"}
    assert caught.value.exit_code == 66
    assert caught.value.exit_code != EXIT_DONE


def test_a_file_below_a_file_is_missing_and_a_path_with_a_nul_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("")
    with pytest.raises(MissingFile, match="Could not find"):
        read_parameter_files(f"{tmp_path}/a/b", ITOPD)
    with pytest.raises(MissingFile, match="Could not load"):
        read_parameter_files(f"{tmp_path}/a\0b", ITOPD)


def test_a_directory_is_refused_or_in_compatible_mode_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(MissingFile, match="is a directory"):
        read_parameter_files(str(tmp_path), ITOPD)
    read = read_parameter_files(str(tmp_path), ITOP)
    assert not read.values
    assert "is a directory" in read.warnings[0]


def test_a_file_with_credentials_that_everybody_can_read_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.params"
    for text, told in (
        ("auth_pwd = x", True),
        ("database_url = mysql://u:p@h/d", True),
        ("db_pwd_file = /run/secret", False),
        ("auth_user = x", False),
    ):
        path.write_text(text)
        path.chmod(0o644)
        assert any("chmod o-r" in warning for warning in read_parameter_files(str(path), ITOPD).warnings) is told
        path.chmod(0o640)
        assert not read_parameter_files(str(path), ITOPD).warnings


@pytest.mark.parametrize("name", ["../a.params", "/etc/passwd", "sub/a.params", ".hidden", ".."])
def test_a_request_names_only_plain_files_of_the_folder(tmp_path: Path, name: str) -> None:
    (tmp_path / "a.params").write_text("a=1")
    assert dict(read_parameter_files("a.params", ITOP, tmp_path).values) == {"a": "1"}
    with pytest.raises(SettingsError, match="no plain file name"):
        read_parameter_files(name, ITOP, tmp_path)


def test_a_byte_order_mark_is_told_and_in_compatible_mode_part_of_the_first_key() -> None:
    read = parse("\ufeffa=1\nb=2", ITOP)
    assert dict(read.values) == {"\ufeffa": "1", "b": "2"}
    told = "a.params:1: begins with a byte order mark, which is part of the first key: save the file without it"
    assert read.warnings == (told,)
    with pytest.raises(SettingsError, match="begins with a byte order mark"):
        parse("\ufeffa=1", ITOPD)


@BOTH
@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf16_is_told_instead_of_a_file_without_settings(rules: Rules, encoding: str) -> None:
    with pytest.raises(SettingsError, match=r"a\.params:1: this is UTF-16; convert the file to UTF-8"):
        parse("\ufeffa = 1\n".encode(encoding), rules)


@BOTH
def test_a_file_that_never_ends_is_refused_before_it_fills_the_memory(tmp_path: Path, rules: Rules) -> None:
    with pytest.raises(SettingsError, match="/dev/zero: larger than 1 MiB, so it is no parameters file"):
        read_parameter_files("/dev/zero", rules)
    (tmp_path / "full").write_bytes(b"k = v\n".ljust(LARGEST, b"#"))
    assert dict(read_parameter_files(str(tmp_path / "full"), rules).values) == {"k": "v"}


@BOTH
def test_a_file_that_would_include_another_is_told_that_it_does_not(rules: Rules) -> None:
    read = parse("a = 1\nparam_file = other\n", rules)
    assert dict(read.values) == {"a": "1", "param_file": "other"}
    assert read.warnings == ("a.params:2: a file does not include others: name them all where this one is named",)


def test_a_key_with_two_values_is_told_of_and_the_last_one_counts() -> None:
    read = parse("a = 1\nb = 2\na = 1\na = 3\n", ITOPD)
    assert read.values == {"a": "3", "b": "2"}
    assert read.warnings == ("a.params:4: a has another value in line 3; this one counts: keep one",)
