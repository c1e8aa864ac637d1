"""``itopd runs``: what ran, and what came of it."""

from __future__ import annotations

import json
from dataclasses import fields

import click

from itopd import heartbeat
from itopd.cli.edge import settings_files, settings_of
from itopd.cli.tables import print_table
from itopd.clock import to_itop
from itopd.errors import SettingsError
from itopd.state import Run, RunState, Subject, SubjectKind, ledger, run_logs
from itopd.wiring import open_heartbeat

_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs; instants in UTC.")


class _Runs(click.Group):
    """A group whose first word may be left out: ``itopd runs people`` is ``itopd runs list people``."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Put the word in where it is missing."""
        if not args or args[0] not in (*self.commands, "-h", "--help"):
            args = ["list", *args]
        return super().parse_args(ctx, args)


@click.group("runs", cls=_Runs)
def runs_command() -> None:
    """List the runs that the ledger remembers (itopd runs [NAME]), show one whole (itopd runs show ID).

    Runs that succeeded are remembered for two days, failed ones for thirty; the newest of each task and job always.
    """


@runs_command.command("list", short_help="the newest runs, of all or of one task or job")
@click.argument("name", required=False)
@click.option("--failed", is_flag=True, help="Only those that failed.")
@click.option("--limit", default=20, show_default=True, type=click.IntRange(1, 10_000), help="At most so many.")
@_JSON
@click.pass_obj
def list_(config: str | None, *, name: str | None, failed: bool, limit: int, as_json: bool) -> None:
    """List the newest runs first."""
    settings = settings_of(config).settings
    with open_heartbeat(settings, settings_files(config)) as beat:
        subjects = _named(beat, name) if name is not None else None
        states = [RunState.FAILED] if failed else []
        found = ledger.recent(beat.state, limit, subjects=subjects, states=states)
    if as_json:
        click.echo(json.dumps(heartbeat.plain(found), indent=1, ensure_ascii=False))
    elif not found:
        click.echo("no such runs" if name is not None or failed else "nothing ran yet")
    else:
        header = ("run", "what", "due", "took", "state", "attempts", "what came of it")
        print_table(header, [_cells(run, to_itop(run.due, settings.zone)) for run in found])


@runs_command.command("show", short_help="one run, whole")
@click.argument("run_id", metavar="ID")
@_JSON
@click.pass_obj
def show(config: str | None, *, run_id: str, as_json: bool) -> None:
    """Show everything that is remembered of one run, its log too."""
    settings = settings_of(config).settings
    with open_heartbeat(settings, settings_files(config)) as beat:
        run, log = ledger.find(beat.state, run_id), run_logs.read(beat.state, run_id)
    if run is None:
        raise SettingsError(f"there is no run {run_id} (any more); 'itopd runs' lists those that are remembered")
    if as_json:
        click.echo(json.dumps(_dict(run) | {"log": log}, indent=1, ensure_ascii=False))
        return
    for name, value in heartbeat.run_facts(run, settings.zone):
        click.echo(f"{name + ':':<14}{value}")
    if log:
        click.echo("log:")
    for line in log:
        click.echo(f"  {line}")


def _dict(run: Run) -> dict[str, object]:
    return {field.name: heartbeat.plain(getattr(run, field.name)) for field in fields(run)}


def _named(beat: heartbeat.Heartbeat, name: str) -> list[Subject]:
    """Return the task or job of a name; also one that is gone, as long as it has left runs."""
    subjects = [Subject(kind, name) for kind in SubjectKind]
    known = {entry.subject.name for entry in heartbeat.status(beat, recent=0).subjects} | {
        subject.name for subject in ledger.heads(beat.state)
    }
    if name not in known:
        raise SettingsError(f"there is no task or job '{name}', and none ran; there are: {', '.join(sorted(known))}")
    return subjects


def _cells(run: Run, due: str) -> tuple[object, ...]:
    took = (run.finished - run.started).total_seconds() if run.finished and run.started else None
    shown = "-" if took is None else heartbeat.seconds_text(took)
    return (run.id, run.subject, due, shown, run.state, run.attempts, heartbeat.what_came_of_it(run))
