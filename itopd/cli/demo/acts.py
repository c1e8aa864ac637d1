"""The acts of the demonstration, in order."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import click

from itopd.cli.demo.sample import PERSON_HEADER, cmdb, persons, with_errors, write_csv
from itopd.cli.demo.stage import DemoFailed, Stage, kill_group, mail_sink

PERSONS = 2_000
MAILS = 50
KILLED_AFTER = 20

_SETTINGS = """\
# Settings of the demonstration: key = value, # comments.
data_folder   = {folder}
jobs_folder   = {folder}/jobs
timezone      = Europe/Paris
email_transport = SMTP
email_transport_smtp.host = 127.0.0.1
email_transport_smtp.port = {port}
email_default_sender_address = cmdb@grid.example
"""

_JOBS = {
    "servers": """\
# Every production server, as a spreadsheet wants it.
service     = export
schedule    = every 5m
expression  = SELECT Server WHERE status = 'production'
fields      = name, organization_name, rack_name, managementip, move2production
format      = csv
output_file = {folder}/exports/servers.csv
""",
    "people": """\
# Everybody, as a program wants it.
service     = export
schedule    = every 1h
expression  = SELECT p, l FROM Person AS p JOIN Location AS l ON p.location_id = l.id WHERE l.city != 'Cork'
fields      = p.friendlyname, p.email, l.city
format      = jsonl
output_file = {folder}/exports/people.jsonl
""",
}


def play(stage: Stage) -> None:
    """Play all acts; raise :class:`DemoFailed` when one does not show what it promises."""
    with mail_sink(stage.folder / "mails") as sink:
        stage.wait_for("the start of the mail sink", (sink / "port").exists)
        _write_settings(stage, (sink / "port").read_text())
        _set_up(stage)
        _fill(stage)
        _import_people(stage)
        _deliver_through_a_crash(stage, sink)
        _export(stage)
        _tell_history(stage)
    _list_files(stage)


def _write_settings(stage: Stage, port: str) -> None:
    stage.config.write_text(_SETTINGS.format(folder=stage.folder, port=port), encoding="utf-8")
    (stage.folder / "jobs").mkdir()
    (stage.folder / "exports").mkdir()
    (stage.folder / "csv").mkdir()
    secret = stage.folder / "admin-password"
    secret.write_text("Demo-of-itopd-1\n", encoding="utf-8")
    secret.chmod(0o600)


def _set_up(stage: Stage) -> None:
    stage.act("An empty database becomes a CMDB with iTop's own tables")
    stage.run("init", f"--admin_password_file={stage.folder / 'admin-password'}")
    stage.run("check")
    stage.notice("every line says ok, or what to do")


def _fill(stage: Stage) -> None:
    sheets = cmdb()
    total = sum(len(sheet.rows) for sheet in sheets)
    stage.act(f"A sample CMDB: {total} objects of {len(sheets)} classes, from CSV files")
    for sheet in sheets:
        path = sheet.write(stage.folder / "csv")
        words = [
            "import",
            f"--class={sheet.cls}",
            f"--csvfile={path}",
            "--no_localize=1",
            f"--reconciliationkeys={sheet.keys}",
        ]
        if sheet is sheets[-1]:
            stage.run(*words, show=_counters)
        else:
            stage.quietly(*words)
    stage.notice("uplinks between switches have their mirror link: iTop's own rule of that class, in bulk")


def _import_people(stage: Stage) -> None:
    stage.act(f"{PERSONS} people, three of them wrong")
    right = persons(PERSONS)
    path = stage.folder / "csv" / "people.csv"
    command = ("import", "--class=Person", f"--csvfile={path}", "--no_localize=1", "--reconciliationkeys=email")
    write_csv(path, PERSON_HEADER, with_errors(right))
    errors = stage.folder / "csv" / "people-errors.csv"
    stage.run(*command, f"--error_file={errors}", expect=1, show=_counters)
    for line in errors.read_text(encoding="utf-8").splitlines():
        click.echo(f"   | {line}")
    stage.notice("1,997 rows went in; the three bad ones are in a file, with line, column and reason")

    write_csv(path, PERSON_HEADER, right)
    stage.run(*command, show=_counters)
    again = stage.run(*command, show=_counters)
    if "#Unchanged: 2000" not in again:
        raise DemoFailed("the repaired file was not found unchanged at its second import")
    stage.notice("repaired: the three are created; imported once more: 0 issues, 0 changes")


def _deliver_through_a_crash(stage: Stage, sink: Path) -> None:
    stage.act(f"{MAILS} mails, and kill -9 in the middle of their delivery")
    for number in range(1, MAILS + 1):
        words = (
            "mail", "enqueue", f"--to=person{number:04}@grid.example",
            f"--subject=Maintenance {number} of {MAILS}: déjà prévue", "--body=The rack is moved on Friday.",
        )  # fmt: skip
        if number == 1:
            stage.run(*words)
        else:
            stage.quietly(*words)
    click.echo(f"   ... {MAILS} times")
    tick = stage.start("tick")
    stage.wait_for(f"the delivery of {KILLED_AFTER} mails", lambda: len(_received(sink)) >= KILLED_AFTER)
    kill_group(tick)
    before = len(_received(sink))
    click.echo(f"   kill -9 after {before} mails at the server")
    stage.run("mail", "list", "--limit=3")
    stage.run("tick")
    received = _received(sink)
    repeated = [message_id for message_id, count in Counter(received).items() if count > 1]
    click.echo(f"   at the server: {len(received)} mails, {len(set(received))} different, {len(repeated)} repeated")
    if len(set(received)) != MAILS or len(received) > MAILS + 1:
        raise DemoFailed(f"{MAILS} mails were queued, the server counts {len(set(received))} different ones")
    stage.run("mail", "list")
    stage.notice("none lost; at most the one in flight is repeated, with the same Message-ID")


def _received(sink: Path) -> list[str]:
    log = sink / "received"
    return log.read_text(encoding="utf-8").splitlines() if log.exists() else []


def _export(stage: Stage) -> None:
    stage.act("Two scheduled exports, run by one tick")
    for name, text in _JOBS.items():
        (stage.folder / "jobs" / f"{name}.params").write_text(text.format(folder=stage.folder), encoding="utf-8")
    stage.run("job", "list")
    stage.run("tick")
    for name in ("servers.csv", "people.jsonl"):
        lines = (stage.folder / "exports" / name).read_text(encoding="utf-8").splitlines()
        click.echo(f"   {name}, {len(lines)} lines: {lines[1]}")
    stage.notice("a job is a parameters file: the keys of a service, plus service and schedule")


def _tell_history(stage: Stage) -> None:
    stage.act("Who changed what")
    path = stage.folder / "csv" / "phones.csv"
    write_csv(path, ("email", "phone"), [(f"person{number:04}@grid.example", "+43 1 000 00 00") for number in range(3)])
    stage.run(
        "import", "--class=Person", f"--csvfile={path}", "--no_localize=1", "--reconciliationkeys=email",
        "--comment=new numbers of Vienna", show=_counters,
    )  # fmt: skip
    stage.run(
        "query", "SELECT CMDBChangeOpSetAttributeScalar",
        "--fields=date,userinfo,objclass,objkey,attcode,oldvalue,newvalue",
    )  # fmt: skip
    stage.notice("iTop's own history rows: its console shows them on each object")


def _list_files(stage: Stage) -> None:
    stage.act("What was made")
    files = {
        "itopd.params": "the settings",
        "itopd.db": "the database: iTop's tables",
        "itopd-state.db": "what ran when: the ledger of runs and leases",
        "csv/people-errors.csv": "the rows that were refused, with reasons",
        "exports/servers.csv": "the first export job's result",
        "exports/people.jsonl": "the second one's",
        "mails/received": "Message-IDs at the mail server",
    }
    for name, meaning in files.items():
        path = stage.folder / name
        if not path.exists():
            raise DemoFailed(f"{path} is missing")
        click.echo(f"   {name:22} {path.stat().st_size:>12,} bytes  {meaning}")


def _counters(report: str) -> str:
    """Return the counters of an import's summary as one line."""
    wanted = ("#Issues", "#Created", "#Updated", "#Unchanged")
    return "   ".join(line for line in report.splitlines() if line.startswith(wanted))
