"""``itopd adopt_crontab``: from the crontab of an iTop to job files that run."""

from __future__ import annotations

import stat
import subprocess

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.cli.calls import Place, command

CRONTAB = """MAILTO=""
HOME=/srv
*/5 * * * * php /x/webservices/cron.php --param_file=/etc/itop.params
30 2 * * 1-5 cd {folder} && php {w}/export-v2.php --param_file=base.params,more.params --fields=name > {result}
0 3 * * * timeout 30m php {w}/import.php --auth_user=admin --auth_pwd='s3 #cret' --class=Person --csvfile=p.csv
@daily php /x/synchro/synchro_exec.php --data_sources=3,4
@reboot php /x/webservices/import.php --class=Person
0 4 * * * rm -rf /tmp/x
nonsense
"""


@pytest.fixture
def crontab(installed: Place) -> str:
    """Write a crontab and what it needs; give its path."""
    installed.write("base.params", "expression = SELECT Server\nno_localize = 1\nbogus = 1\n")
    installed.write("more.params", "expression = SELECT Person\nformat = csv\n")
    result = f"{installed.folder}/people-$(date +\\%F).csv"
    return str(installed.write("crontab", CRONTAB.format(folder=installed.folder, w="/x/webservices", result=result)))


def made(place: Place) -> list[str]:
    return sorted(path.name for path in place.jobs.iterdir())


def test_first_it_only_shows_what_it_would_write(installed: Place, crontab: str) -> None:
    answer = installed.call("adopt_crontab", crontab)
    assert answer.code == 1
    assert made(installed) == []
    assert "line 3, cron.php: no job\n  - no job is needed: itopd's heartbeat does what it does" in answer.out
    assert "    expression = SELECT Person\n" in answer.out
    assert "  - 'bogus' is no parameter of export and was left out" in answer.out
    assert "line 6, synchro_exec.php: " in answer.out
    assert "(enabled = no)" in answer.out
    assert "line 7, import.php: no job\n  - it runs when the machine starts, which is no time of a job" in answer.out
    assert "line 9: no job\n  - neither five fields" in answer.out
    assert "passed over, since no script of iTop is named there: line 8\n" in answer.out
    assert "rm -rf" not in answer.out
    assert "s3 #cret" not in answer.out
    assert answer.out.endswith(f"3 job files would be written to {installed.jobs}: call it again with --write\n")


def test_what_it_writes_runs_and_nothing_is_written_twice_or_over(installed: Place, crontab: str) -> None:
    installed.write("jobs/import-Person.params", "# mine\n")
    answer = installed.call("adopt_crontab", "--write", crontab)
    assert answer.code == 1
    assert made(installed) == [
        "export-people.params",
        "import-Person-2.params",
        "import-Person.params",
        "synchro_exec-3-4.params",
    ]
    assert installed.read("jobs/import-Person.params") == "# mine\n"
    (installed.jobs / "import-Person.params").unlink()
    assert {stat.S_IMODE(path.stat().st_mode) for path in installed.jobs.iterdir()} == {0o600}
    adopted = installed.read("jobs/import-Person-2.params").splitlines()
    assert {'auth_pwd := "s3 #cret"', "max_seconds = 1800", "csvfile = /srv/p.csv", "schedule = 0 3 * * *"} < set(
        adopted
    )
    assert "enabled = no" in installed.read("jobs/synchro_exec-3-4.params")
    again = installed.call("adopt_crontab", "--write", crontab)
    assert "says it already" in again.out
    assert len(made(installed)) == 3
    installed.write("crontab", "# a comment more moves all lines\n" + installed.read("crontab"))
    installed.write(
        "jobs/synchro_exec-3-4.params", installed.read("jobs/synchro_exec-3-4.params").replace("= no", "= yes")
    )
    assert installed.call("adopt_crontab", "--write", crontab).out.count("says it already") == 3
    assert len(made(installed)) == 3
    (installed.jobs / "synchro_exec-3-4.params").unlink()
    answer = installed.process("job", "run", "export-people")
    assert answer.code == 0, answer
    (result,) = installed.folder.glob("people-????-??-??.csv")
    assert result.read_text().splitlines()[0] == '"name"'
    assert installed.call("job", "list").code == 0


def test_the_table_may_come_through_a_pipe(installed: Place) -> None:
    text = b"0 1 * * * www-data php /x/webservices/cron.php\n0 2 * * * ls\n"
    done = subprocess.run(
        command("--config", installed.config, "adopt_crontab"), input=text, capture_output=True, timeout=60, check=True
    )
    assert done.stdout.decode().startswith("line 1, cron.php: no job\n")


@pytest.mark.parametrize(
    ("content", "code", "told"),
    [
        (b"0 4 * * * ls\n", 0, "no line calls one of iTop's scripts"),
        (b"\xff\xfe", 65, "is not UTF-8"),
        (None, 66, "cannot be read (No such file or directory)"),
    ],
)
def test_what_there_is_nothing_to_adopt_in(installed: Place, content: bytes | None, code: int, told: str) -> None:
    path = installed.folder / "table"
    if content is not None:
        path.write_bytes(content)
    answer = installed.call("adopt_crontab", path)
    assert (answer.code, told in answer.out + answer.err) == (code, True), answer


def test_parameters_files_that_are_away_leave_the_job_disabled_with_the_reason(installed: Place) -> None:
    table = installed.write(
        "table", "0 1 * * * php /x/webservices/import.php --param_file=/nowhere.params --class=Person\n"
    )
    answer = installed.call("adopt_crontab", "--write", table)
    assert (answer.code, "Could not find the parameter file: '/nowhere.params'" in answer.out) == (1, True)
    text = installed.read("jobs/import-Person.params")
    assert "enabled = no\n" in text
    assert "# Disabled: Could not find the parameter file: '/nowhere.params'" in text


def test_a_value_that_no_job_takes_leaves_the_job_disabled_with_the_reason(installed: Place) -> None:
    table = installed.write(
        "table", "0 1 * * * php /x/webservices/import.php --class=Person --reconcile=never --csvfile=/p.csv\n"
    )
    answer = installed.call("adopt_crontab", "--write", table)
    assert answer.code == 1
    text = installed.read("jobs/import-Person.params")
    assert "enabled = no\n" in text
    assert "reconcile" in text.splitlines()[1]


def test_what_the_line_does_beside_its_call_leaves_the_job_disabled(installed: Place) -> None:
    lines = [
        "0 1 * * * wget -q http://a:geheim@h/p && php /x/webservices/import.php --class=Person --csvfile=/p",
        "0 2 * * * php /x/webservices/import.php --class=Team -auth_pwd=geheim --csvfile=p.csv",
        "0 3 * * * php /x/webservices/export-v2.php --expression='SELECT Team' --format=csv --fields=name",
    ]
    answer = installed.call("adopt_crontab", "--write", installed.write("table", "\n".join(lines)))
    assert (answer.code, "geheim" in answer.out) == (1, False), answer
    for name, reason in [
        ("import-Person", "before it the line runs 'wget', which no job does"),
        ("import-Team", "csvfile p.csv is in a folder that is unknown: write it in full"),
        ("export", "what it printed was sent by mail, which comes with a later release: give the job an output_file"),
    ]:
        text = installed.read(f"jobs/{name}.params")
        assert f"# Disabled: {reason}" in text
        assert "enabled = no\n" in text
    assert "the argument '-auth_pwd=...' means nothing to import.php and was left out" in answer.out


def test_calls_that_a_lock_kept_apart_are_told(installed: Place) -> None:
    line = "0 {0} * * * flock /l php /x/webservices/import.php --class={1} --csvfile=/p.csv > /o/{1}\n"
    table = installed.write("table", line.format(1, "Person") + line.format(2, "Team"))
    answer = installed.call("adopt_crontab", table)
    assert answer.code == 0
    assert "the lock /l kept it apart from line 2; jobs of a lane may run side by side" in answer.out
    assert "the lock /l kept it apart from line 1; jobs of a lane may run side by side" in answer.out


def test_others_scripts_of_the_same_name_are_left_alone(installed: Place) -> None:
    table = installed.write("table", "*/5 * * * * php -f /var/www/nextcloud/cron.php\n")
    answer = installed.call("adopt_crontab", table)
    assert (answer.code, "no job is needed" in answer.out) == (0, False)
    assert "/var/www/nextcloud/cron.php is not taken for iTop's" in answer.out


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            [
                "0 1 * * *",
                "@daily",
                "php",
                "/x/webservices/import.php",
                "export.php",
                "--class=",
                "--a='b",
                ">",
                "|",
                "{",
                "}",
                "%",
                "\\%",
                "--param_file=,x",
                "root",
                "\n",
                "cd",
                "&&",
                "synchro_import.php",
                "--schedule=@x",
                "\ue000",
                "$(date)",
            ]
        )
        | st.text(max_size=4),
        max_size=20,
    )
)
def test_no_table_is_too_odd(installed: Place, pieces: list[str]) -> None:
    table = installed.folder / "odd"
    table.write_bytes(" ".join(["0 1 * * * php", *pieces]).encode("utf-8", "replace"))
    answer = installed.call("adopt_crontab", table)
    assert answer.code in {0, 1}, answer
