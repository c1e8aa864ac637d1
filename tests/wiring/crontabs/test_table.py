"""Reading crontabs: times, accounts, variables, percent signs."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from itopd.wiring.crontabs.table import CronLine, OddLine, read_crontab

SYSTEM = """# /etc/crontab: system-wide crontab
SHELL=/bin/sh
"MAIL TO" = x
PATH = '/usr/bin:/bin'

17 *\t* * *\troot    cd / && run-parts --report /etc/cron.hourly
@daily www-data php /x/import.php --class=Person
"""


def lines(text: str, *, accounts: bool | None = None) -> list[CronLine | OddLine]:
    return list(read_crontab(text, accounts=accounts))


def one(text: str, *, accounts: bool | None = None) -> CronLine:
    (found,) = lines(text, accounts=accounts)
    assert isinstance(found, CronLine)
    return found


def test_a_system_table_has_accounts_and_variables() -> None:
    first, second, third = lines(SYSTEM)
    assert first == OddLine(3, "neither five fields and a command, nor NAME = value")
    environment = {"SHELL": "/bin/sh", "PATH": "/usr/bin:/bin"}
    command = "cd / && run-parts --report /etc/cron.hourly"
    assert second == CronLine(6, "17 * * * *", "root", command, environment)
    assert third == CronLine(7, "@daily", "www-data", "php /x/import.php --class=Person", environment)


@pytest.mark.parametrize(
    ("rest", "accounts", "account"),
    [
        ("php /x/cron.php", None, ""),
        ("php8.2 /x/cron.php", None, ""),
        ("cd /x && php cron.php", None, ""),
        ("/usr/bin/php /x/cron.php", None, ""),
        ("A=1 php /x/cron.php", None, ""),
        ("itop php /x/cron.php", None, "itop"),
        ("php /x/cron.php", True, "php"),
        ("itop php /x/cron.php", False, ""),
    ],
)
def test_an_account_is_told_from_a_command(rest: str, accounts: bool | None, account: str) -> None:
    found = one(f"* * * * * {rest}", accounts=accounts)
    assert found.account == account
    assert found.command == rest.removeprefix(account).lstrip()


def test_a_table_names_accounts_when_every_line_seems_to() -> None:
    users = "0 1 * * * www-data php /x/cron.php\n0 2 * * * backup php /x/import.php\n"
    assert [line.account for line in lines(users) if isinstance(line, CronLine)] == ["www-data", "backup"]
    mixed = "0 1 * * * itop-import --all\n0 2 * * * /usr/bin/php /x/import.php\n"
    assert [line.account for line in lines(mixed) if isinstance(line, CronLine)] == ["", ""]
    assert one("0 1 * * * docker exec itop php /x/cron.php").account == ""


def test_only_line_feeds_end_lines() -> None:
    assert one("0 1 * * * php /x/import.php --auth_pwd='a\u2028b'\r\n").command.endswith("--auth_pwd='a\u2028b'")


def test_a_percent_sign_ends_the_command_unless_it_is_escaped() -> None:
    assert one(r"* * * * * php x.php > $(date +\%F).csv % input % more").command == "php x.php > $(date +%F).csv"


def test_a_later_variable_changes_nothing_above_it() -> None:
    first, second = lines("A=1\n* * * * * php a\nA=2\n* * * * * php b\n")
    assert isinstance(first, CronLine)
    assert isinstance(second, CronLine)
    assert (first.environment["A"], second.environment["A"]) == ("1", "2")


@given(
    st.text(st.sampled_from("*/15 @daily=\"'%\\\n\t#Aphp.-|&;<>x0"), max_size=200), st.sampled_from([None, True, False])
)
def test_any_text_is_read(text: str, accounts: bool | None) -> None:
    for found in lines(text, accounts=accounts):
        assert 1 <= found.number <= len(text.split("\n"))


@settings(max_examples=30)
@given(
    st.lists(st.from_regex(r"[0-9*/,-]{1,8}", fullmatch=True), min_size=5, max_size=5),
    st.from_regex(r"/[a-z/]{1,20}( [a-z=-]{1,9}){0,3}", fullmatch=True),
    st.sampled_from([" ", "\t", "  ", " \t "]),
)
def test_what_is_written_is_read_back(fields: list[str], command: str, blank: str) -> None:
    found = one(f"{blank}{blank.join(fields)}{blank}{command}")
    assert (found.schedule, found.command, found.account) == (" ".join(fields), command, "")
