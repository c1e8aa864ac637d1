"""Recognising calls of iTop's scripts in shell commands."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import given
from hypothesis import strategies as st

from itopd.wiring.crontabs.calls import script_calls
from itopd.wiring.crontabs.scripts import ScriptCall
from itopd.wiring.crontabs.wrappers import home_of

IMPORT = "import.php"
ARGUMENTS = ("--class=Person", "--csvfile=x.csv")
SCRIPT = "/x/webservices/import.php"
CALL = f"{SCRIPT} --class=Person --csvfile=x.csv"
EXPORT = "/x/webservices/export.php"
EXEC = "/x/synchro/synchro_exec.php"


def calls(command: str, **environment: str) -> list[ScriptCall]:
    return script_calls(command, environment)


def one(command: str, **environment: str) -> ScriptCall:
    (found,) = calls(command, **environment)
    return found


@pytest.mark.parametrize(
    ("command", "wanted"),
    [
        (CALL, ScriptCall(IMPORT, ARGUMENTS)),
        (f"php {CALL}", ScriptCall(IMPORT, ARGUMENTS)),
        (f"/usr/bin/php8.2 -q -d memory_limit=1G -dx=y -c /etc/php.ini {CALL}", ScriptCall(IMPORT, ARGUMENTS)),
        (f"/opt/cpanel/ea-php81/root/usr/bin/ea-php81 {CALL}", ScriptCall(IMPORT, ARGUMENTS)),
        (f"php -f {CALL}", ScriptCall(IMPORT, ARGUMENTS)),
        (f"php -f {SCRIPT} -- {CALL.partition(' ')[2]}", ScriptCall(IMPORT, ARGUMENTS)),
        (f"cd /srv/itop && php {CALL}", ScriptCall(IMPORT, ARGUMENTS, "/srv/itop")),
        (f"cd /srv; cd -P itop || exit 1; php {CALL} # nightly > x", ScriptCall(IMPORT, ARGUMENTS, "/srv/itop")),
        (f"test -x /usr/bin/php && php {CALL}", ScriptCall(IMPORT, ARGUMENTS)),
        (f"umask 022; . /etc/profile; php {CALL}; echo done", ScriptCall(IMPORT, ARGUMENTS)),
        (f"A=1 nice -n 10 ionice -c3 nohup php {CALL} &", ScriptCall(IMPORT, ARGUMENTS)),
        (f"nice -10 stdbuf -oL php {CALL}", ScriptCall(IMPORT, ARGUMENTS)),
        (f"env A=1 php {CALL}", ScriptCall(IMPORT, ARGUMENTS)),
        (f"env -C /srv php {CALL}", ScriptCall(IMPORT, ARGUMENTS, "/srv")),
        (f"sudo -u www-data -E php {CALL}", ScriptCall(IMPORT, ARGUMENTS, account="www-data")),
        (f"sudo --user=www-data -- php {CALL}", ScriptCall(IMPORT, ARGUMENTS, account="www-data")),
        (f"sudo --user www-data -n php {CALL}", ScriptCall(IMPORT, ARGUMENTS, account="www-data")),
        (f'su www-data -s /bin/bash -c "php {CALL}"', ScriptCall(IMPORT, ARGUMENTS, account="www-data")),
        (f'sudo su www-data -c "php {CALL}"', ScriptCall(IMPORT, ARGUMENTS, account="www-data")),
        (f'su - nobody -c "php {CALL}"', ScriptCall(IMPORT, ARGUMENTS, home_of("nobody"), account="nobody")),
        (f"sudo -iu nobody php {CALL}", ScriptCall(IMPORT, ARGUMENTS, home_of("nobody"), account="nobody")),
        (
            f'su -s /bin/sh -c "cd /y && php {CALL} >/z" www-data',
            ScriptCall(IMPORT, ARGUMENTS, "/y", "/z", None, "www-data"),
        ),
        (f"runuser -u www-data -- php {CALL}", ScriptCall(IMPORT, ARGUMENTS, account="www-data")),
        (f"runuser www-data -c 'php {CALL}'", ScriptCall(IMPORT, ARGUMENTS, account="www-data")),
        (f"bash -lc 'php {CALL}'", ScriptCall(IMPORT, ARGUMENTS)),
        (f"bash -c 'php {CALL}' >/z", ScriptCall(IMPORT, ARGUMENTS, output="/z")),
        (f"flock -n /tmp/lock php {CALL}", ScriptCall(IMPORT, ARGUMENTS, lock="/tmp/lock")),
        (f"/usr/bin/flock -w 10 /tmp/lock -c 'php {CALL}'", ScriptCall(IMPORT, ARGUMENTS, lock="/tmp/lock")),
        (
            f"flock -n /l timeout -k 5 30m php {CALL}",
            ScriptCall(IMPORT, ARGUMENTS, max_seconds=1800, lock="/l"),
        ),
        (f"timeout 90 php {CALL}", ScriptCall(IMPORT, ARGUMENTS, max_seconds=90)),
        (f"timeout --signal=KILL 1.5h php {CALL}", ScriptCall(IMPORT, ARGUMENTS, max_seconds=5400)),
        (f"timeout 0 php {CALL}", ScriptCall(IMPORT, ARGUMENTS)),
        (f"php {CALL} > /dev/null 2>&1", ScriptCall(IMPORT, ARGUMENTS, output="")),
        (f"php {CALL} &>/dev/null", ScriptCall(IMPORT, ARGUMENTS, output="")),
        (f"php {CALL} 2>/dev/null", ScriptCall(IMPORT, ARGUMENTS)),
        (f"cd /o && php {CALL} 2>/var/log/e > out.txt", ScriptCall(IMPORT, ARGUMENTS, "/o", "/o/out.txt")),
        (f"php {CALL} 1>/o/out.txt 2>&1", ScriptCall(IMPORT, ARGUMENTS, output="/o/out.txt")),
        (f"php {CALL} | gzip -9 > /o/out.gz", ScriptCall(IMPORT, ARGUMENTS, output="/o/out.gz")),
        (f"php {CALL} 2>&1 | tee /o/out", ScriptCall(IMPORT, ARGUMENTS, output="/o/out")),
        (f"php {CALL} | mail -s x root", ScriptCall(IMPORT, ARGUMENTS)),
        (f"php {CALL} > /o/$(date +%F).csv", ScriptCall(IMPORT, ARGUMENTS, output="/o/{date}.csv")),
        (f"php {CALL} > /o/`/bin/date '+%F_%H%M%S'`.csv", ScriptCall(IMPORT, ARGUMENTS, output="/o/{datetime}.csv")),
        (f'php {CALL} > "/o/a b;{{c}}.csv"', ScriptCall(IMPORT, ARGUMENTS, output="/o/a b;{{c}}.csv")),
    ],
)
def test_the_forms_of_crontabs(command: str, wanted: ScriptCall) -> None:
    assert calls(command) == [wanted]


@pytest.mark.parametrize(
    ("command", "remark"),
    [
        (f"php {CALL} >> /o/log", "its output was appended to /o/log; a job's result takes the place"),
        (f"php {CALL} | tee -a /o/log", "its output was appended to /o/log; a job's result takes the place"),
        (f"php {CALL} | logger -t itop", "its output went to the log of the system"),
        (f"php {CALL} > /o/x-$(date +%Y%m%d).csv", "was written by date +%Y%m%d: {date} writes 2026-01-31"),
        (f"php {CALL} > /o/$(date +%y%j-%H).csv", "{datetime} writes 2026-01-31_235900"),
        (f"sleep 30; php {CALL}", "before it the line sleeps 30: a job begins with its minute"),
        (f"php {CALL} || /x/alarm", "when it failed the line ran 'alarm': itopd health tells failures"),
        (f"timeout $LIMIT php {CALL}", "the limit of timeout, '$LIMIT', is not understood"),
    ],
)
def test_what_is_a_little_different_is_said(command: str, remark: str) -> None:
    found = one(command)
    assert [remark in one for one in found.remarks] == [True], found
    assert not found.problems


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        (f'[ "$(date +%u)" = 1 ] && php {CALL}', "before it the line runs '[', which no job does"),
        (f"pgrep -f {IMPORT} || php {CALL}", "before it the line runs 'pgrep', which no job does"),
        (f"wget -q http://hr/x.csv && php {CALL}", "before it the line runs 'wget', which no job does"),
        (f"php {CALL} && mv x.csv done/", "after it the line runs 'mv', which no job does"),
        (f"php {EXPORT} > /a; php {CALL}", "it waits for the call before it, jobs do not: give it a later schedule"),
        (f"zcat x.gz | php {CALL}", "it reads what 'zcat' prints"),
        (f"php {CALL} | sort > /o/x", "its output goes through 'sort', which no job does"),
        (f"php {CALL} | gzip > /o/x", "its output goes through 'gzip', which no job does"),
        (f"php {CALL} > /o/$(hostname).csv", "the shell works out $(hostname), write output_file by hand"),
        (f"php {CALL} > /o/$(date +%u).csv", "the shell works out $(date +%u), write output_file by hand"),
        (f"php {CALL} > /o/$(date -d yesterday +%F)", "the shell works out $(date -d yesterday +%F), write"),
        (f"php {CALL} > $OUT/x", "the shell works out $OUT, write output_file by hand"),
        (f"php {CALL} > x.csv", "its output goes to x.csv in a folder that is unknown: write output_file in full"),
        (f"cd $HERE && php {CALL} > x.csv", "its output goes to x.csv in a folder that is unknown"),
        (f'php {CALL} --auth_pwd="$PWD_OF_ITOP"', "the shell works out $PWD_OF_ITOP in auth_pwd: write its value"),
        (f"php {CALL} --csvfile=`ls`", "the shell works out `ls` in csvfile: write its value"),
    ],
)
def test_what_a_job_would_not_do_is_said(command: str, problem: str) -> None:
    found = calls(command)[-1]
    assert [problem in one for one in found.problems] == [True], found


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        (f"wget -qO- 'http://itop{SCRIPT}?x=1'", "'wget' calls it over HTTP: write a job with the same parameters"),
        (f"lynx -dump https://h/itop{SCRIPT}", "'lynx' calls it over HTTP"),
        (f"docker exec itop php {CALL}", "how 'docker' calls it is not understood"),
        (f"find /in -name '*.csv' -exec php {CALL} \\;", "how 'find' calls it is not understood"),
        (f"for f in *; do php {CALL}; done", "the line holds 'for': it is more than a list of commands"),
        (f"if true; then php {CALL}; fi", "the line holds 'if'"),
        (f"(php {CALL}) > /o/x", "the line holds '('"),
        (f"php {CALL} <<EOF", "the line holds '<<'"),
        (f"sh -c 'while :; do php {CALL}; done'", "the line holds 'while'"),
        (f"OUT=$(php {CALL})", "it is named, and how the line calls it is not understood"),
        (f'echo "$(php {CALL})"', "it is named, and how the line calls it is not understood"),
        ("php /var/www/wordpress/import.php", "/var/www/wordpress/import.php is not taken for iTop's"),
        ("cd /var/www/shop; php ./import.php", "/var/www/shop/import.php is not taken for iTop's"),
    ],
)
def test_a_script_that_is_named_is_never_passed_over(command: str, reason: str) -> None:
    found = one(command)
    assert (found.script, reason in found.unclear) == (IMPORT, True), found


@pytest.mark.parametrize(
    "command",
    ["php /x/other.php", "echo import.php", "pgrep -f cron.php", "ls", "", "rm -f x && true", "php -v", "sudo", "su"],
)
def test_other_commands_are_passed_over(command: str) -> None:
    assert calls(command) == []


def test_variables_of_the_table_and_of_the_line_are_put_in() -> None:
    line = 'KIND=Team; export SEP=";" TO=/o/$KIND; $PHP ${ROOT}/import.php --class=$KIND --separator=$SEP > $TO'
    assert one(line, PHP="php -q", ROOT="/x/webservices", KIND="Person") == ScriptCall(
        IMPORT, ("--class=Team", "--separator=;"), output="/o/Team"
    )
    assert one(f"SEP=$(x); php {SCRIPT} --separator=$SEP", SEP=",").problems


def test_several_calls_of_one_line_are_found() -> None:
    found = calls(f"php {EXPORT} > /a & php {EXEC} && php /x/webservices/cron.php")
    assert [(call.script, call.output, call.problems) for call in found] == [
        ("export.php", "/a", ()),
        ("synchro_exec.php", None, ()),
        ("cron.php", None, ()),
    ]


WORDS = st.text(st.characters(blacklist_categories=["Cs", "Cc"]), min_size=1, max_size=12)


@given(st.lists(WORDS.map(lambda word: f"--k={word}"), max_size=4))
def test_quoted_arguments_arrive_as_they_were(arguments: list[str]) -> None:
    found = one(shlex.join(["php", SCRIPT, *arguments]), HOME="/h", A="no")
    assert (found.arguments, found.problems) == (tuple(arguments), ())
    inner = one(shlex.join(["su", "www-data", "-c", shlex.join(["php", SCRIPT, *arguments])]))
    assert inner.arguments == tuple(arguments)


PIECES = (
    "php", SCRIPT, "--a=b", "su", "-c", "sudo", "-u", "flock", "timeout", "5", "cd", "/y", "&&", "|", ";", ">", ">>",
    "2>&1", "<", "&>", "gzip", "curl", '"', "'", "(", ")", "$(date +%F)", "`date`", "#", "\\", "bash", "env", "-", "--",
    "A=1", "for", "sleep", "runuser", "~", "$HOME", "export", f"http://h{EXPORT}",
)  # fmt: skip


@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=14), st.sampled_from([" ", ""]))
def test_any_command_is_read_or_its_quotes_are_blamed(pieces: list[str], blank: str) -> None:
    try:
        found = calls(blank.join(pieces), HOME="/home/x")
    except ValueError as error:
        blamed = str(error)
    else:
        blamed = "" if all(call.script for call in found) else "a call of nothing"
    assert blamed in {"", "No closing quotation", "No closing parenthesis", 'No closing "', "No closing }"}
