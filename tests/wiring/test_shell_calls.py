"""Recognising calls of iTop's scripts in shell commands."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.wiring.shell_calls import DATE, DATETIME, ScriptCall, script_calls

IMPORT = "import.php"
ARGUMENTS = ("--class=Person", "--csvfile=x.csv")
CALL = "/x/import.php --class=Person --csvfile=x.csv"


def calls(command: str, **environment: str) -> list[ScriptCall]:
    return script_calls(command, environment)


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (CALL, ScriptCall(IMPORT, ARGUMENTS)),
        (f"php {CALL}", ScriptCall(IMPORT, ARGUMENTS)),
        (f"/usr/bin/php8.2 -q -d memory_limit=1G -dx=y -c /etc/php.ini {CALL}", ScriptCall(IMPORT, ARGUMENTS)),
        (f"php -f {CALL}", ScriptCall(IMPORT, ARGUMENTS)),
        (f"php -f /x/import.php -- {CALL.partition(' ')[2]}", ScriptCall(IMPORT, ("--", *ARGUMENTS))),
        (f"cd /srv/itop && php {CALL}", ScriptCall(IMPORT, ARGUMENTS, "/srv/itop")),
        (f"cd /srv; cd itop; php {CALL} # nightly > x", ScriptCall(IMPORT, ARGUMENTS, "/srv/itop")),
        (f"test -x /usr/bin/php && php {CALL}", ScriptCall(IMPORT, ARGUMENTS)),
        (f"[ -f /x ] && php {CALL} || echo failed", ScriptCall(IMPORT, ARGUMENTS)),
        (f"A=1 nice -n 10 ionice -c3 nohup php {CALL} &", ScriptCall(IMPORT, ARGUMENTS)),
        (f"env A=1 php {CALL}", ScriptCall(IMPORT, ARGUMENTS)),
        (f"sudo -u www-data -E php {CALL}", ScriptCall(IMPORT, ARGUMENTS, account="www-data")),
        (f"sudo --user=www-data -- php {CALL}", ScriptCall(IMPORT, ARGUMENTS, account="www-data")),
        (f'su - www-data -c "php {CALL}"', ScriptCall(IMPORT, ARGUMENTS, account="www-data")),
        (
            f'su -s /bin/sh -c "cd /y && php {CALL} >/z" www-data',
            ScriptCall(IMPORT, ARGUMENTS, "/y", "/z", None, "www-data"),
        ),
        (f"runuser -u www-data -- php {CALL}", ScriptCall(IMPORT, ARGUMENTS, account="www-data")),
        (f"bash -lc 'php {CALL}'", ScriptCall(IMPORT, ARGUMENTS)),
        (f"flock -n /tmp/lock php {CALL}", ScriptCall(IMPORT, ARGUMENTS)),
        (f"/usr/bin/flock -w 10 /tmp/lock -c 'php {CALL}'", ScriptCall(IMPORT, ARGUMENTS)),
        (f"flock -n /tmp/lock timeout -k 5 30m php {CALL}", ScriptCall(IMPORT, ARGUMENTS, max_seconds=1800)),
        (f"timeout 90 php {CALL}", ScriptCall(IMPORT, ARGUMENTS, max_seconds=90)),
        (f"php {CALL} > /dev/null 2>&1", ScriptCall(IMPORT, ARGUMENTS)),
        (f"php {CALL} &>/dev/null", ScriptCall(IMPORT, ARGUMENTS)),
        (f"cd /o && php {CALL} 2>/var/log/e > out.txt", ScriptCall(IMPORT, ARGUMENTS, "/o", "/o/out.txt")),
        (f"php {CALL} 1>/o/out.txt 2>&1", ScriptCall(IMPORT, ARGUMENTS, output="/o/out.txt")),
        (f"php {CALL} | gzip -9 > /o/out.gz", ScriptCall(IMPORT, ARGUMENTS, output="/o/out.gz")),
        (f"php {CALL} > /o/$(date +%F).csv", ScriptCall(IMPORT, ARGUMENTS, output=f"/o/{DATE}.csv")),
        (f"php {CALL} > /o/`date '+%Y-%m-%d_%H%M'`.csv", ScriptCall(IMPORT, ARGUMENTS, output=f"/o/{DATETIME}.csv")),
        (f'php {CALL} > "/o/a b;c.csv"', ScriptCall(IMPORT, ARGUMENTS, output="/o/a b;c.csv")),
    ],
)
def test_the_forms_of_crontabs(command: str, wanted: ScriptCall) -> None:
    assert calls(command) == [wanted]


@pytest.mark.parametrize(
    ("command", "remark"),
    [
        (f"php {CALL} >> /o/log", "its output was appended to /o/log; a job's result takes the place"),
        (f"php {CALL} | mail -s x root", "its output goes through mail; output_file takes it as it is"),
        (f"php {CALL} > /o/$(hostname).csv", "which the shell works out; write output_file by hand"),
        (f"php {CALL} > $OUT/x", "its output goes to $OUT/x, which the shell works out"),
        ("wget -qO- 'http://itop/webservices/import.php?x=1'", "it calls import.php over HTTP with wget"),
    ],
)
def test_what_cannot_be_translated_is_said(command: str, remark: str) -> None:
    (found,) = calls(command)
    assert [remark in one for one in found.remarks] == [True], found


@pytest.mark.parametrize(
    "command", ["php /x/other.php", "echo import.php", "ls", "", "rm -f x && true", "php -v", "sudo"]
)
def test_other_commands_are_passed_over(command: str) -> None:
    assert calls(command) == []


def test_variables_of_the_table_are_put_in() -> None:
    (found,) = calls("$PHP ${ROOT}/import.php --class=$CLASS --x=$OTHER", PHP="php", ROOT="/x", CLASS="Person")
    assert found.arguments == ("--class=Person", "--x=$OTHER")


def test_several_calls_of_one_line_are_found() -> None:
    found = calls("php /x/export.php > /a; php /x/import.php && php /x/cron.php")
    assert [(one.script, one.output) for one in found] == [("export.php", "/a"), (IMPORT, ""), ("cron.php", "")]


WORDS = st.text(
    st.characters(blacklist_categories=["Cs", "Cc"], blacklist_characters="$`\ue000\ue001"), min_size=1, max_size=12
)


@given(st.lists(WORDS.map(lambda word: f"--k={word}"), max_size=4))
def test_quoted_arguments_arrive_as_they_were(arguments: list[str]) -> None:
    (found,) = calls(shlex.join(["php", "/x/import.php", *arguments]))
    assert found.arguments == tuple(arguments)


PIECES = (
    "php", "/x/import.php", "--a=b", "su", "-c", "sudo", "-u", "flock", "timeout", "5", "cd", "/y", "&&", "|", ";",
    ">", ">>", "2>&1", "<", "&>", "gzip", "curl", '"', "'", "(", ")", "$(date +%F)", "`date`", "#", "\\", "bash", "env",
    "-", "--", "A=1", "http://h/webservices/export.php",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=14), st.sampled_from([" ", ""]))
def test_any_command_is_read_or_its_quotes_are_blamed(pieces: list[str], blank: str) -> None:
    try:
        found = calls(blank.join(pieces), HOME="/home/x")
    except ValueError as error:
        blamed = str(error)
    else:
        blamed = "" if all(one.script for one in found) else "a call of nothing"
    assert blamed in {"", "No closing quotation", "No escaped character"}
