"""``itopd status``, ``itopd ps`` and ``itopd health``: what there is to see at this moment."""

from __future__ import annotations

import json

import click

from itopd import heartbeat
from itopd.cli.edge import settings_files, settings_of
from itopd.cli.tables import print_table
from itopd.errors import EXIT_DONE, EXIT_ISSUES
from itopd.wiring import open_heartbeat

_JSON = click.option("--json", "as_json", is_flag=True, help="As JSON, for programs; instants in UTC.")


@click.command("status")
@_JSON
@click.pass_context
def status_command(ctx: click.Context, *, as_json: bool) -> None:
    """Show tasks, jobs, lanes, queues, processes, what runs now and what ran last.

    Exit code 1 when something keeps a task or job from running; itopd health judges the rest, too.
    """
    settings = settings_of(ctx.obj).settings
    with open_heartbeat(settings, settings_files(ctx.obj)) as beat:
        seen = heartbeat.status(beat)
    if as_json:
        click.echo(json.dumps(heartbeat.plain(seen), indent=1, ensure_ascii=False))
    else:
        click.echo(heartbeat.status_text(seen, settings.zone), nl=False)
    ctx.exit(EXIT_ISSUES if seen.problems else EXIT_DONE)


@click.command("ps")
@_JSON
@click.pass_context
def ps_command(ctx: click.Context, *, as_json: bool) -> None:
    """List the runs under way: how far they are, where, for how long, and how fresh their last sign of life is.

    A run whose owner is gone is listed until another heartbeat takes it over.
    """
    settings = settings_of(ctx.obj).settings
    with open_heartbeat(settings, settings_files(ctx.obj)) as beat:
        running = heartbeat.status(beat, recent=0).running
    if as_json:
        click.echo(json.dumps(heartbeat.plain(running), indent=1, ensure_ascii=False))
    elif not running:
        click.echo("nothing runs")
    else:
        header = (
            "run",
            "what",
            "lane",
            "state",
            "attempt",
            "for",
            "limit",
            "progress",
            "sign of life",
            "process",
            "at",
        )
        print_table(header, [_cells(one) for one in running])


def _cells(one: heartbeat.RunSeen) -> tuple[object, ...]:
    sign = f"{heartbeat.seconds_text(one.heartbeat_age)} ago" if one.owner else "-"
    return (
        one.run.id,
        one.run.subject,
        one.lane or "-",
        one.run.state,
        one.run.attempts,
        heartbeat.seconds_text(one.seconds),
        "-" if one.limit_seconds is None else heartbeat.seconds_text(one.limit_seconds),
        one.run.progress or "-",
        sign if one.is_alive or not one.owner else f"{sign}, gone",
        one.run.pid or "-",
        one.owner or "-",
    )


@click.command("health")
@_JSON
@click.option("--late", metavar="SECONDS", default=300.0, show_default=True, help="So long may due things wait.")
@click.option("--queue", metavar="SECONDS", default=900.0, show_default=True, help="So long may a sendable mail wait.")
@click.pass_context
def health_command(ctx: click.Context, *, as_json: bool, late: float, queue: float) -> None:
    """Say whether all is well: for monitoring, and for the health check of a container.

    Exit code 0 all is well (there may be warnings), 1 there are problems, 69 a database is away.
    """
    settings = settings_of(ctx.obj).settings
    with open_heartbeat(settings, settings_files(ctx.obj)) as beat:
        found = heartbeat.health(heartbeat.status(beat, recent=0), beat.zone, heartbeat.HealthLimits(late, queue))
    if as_json:
        click.echo(json.dumps({"healthy": found.is_good} | _dict(found), indent=1, ensure_ascii=False))
    else:
        click.echo(f"{'OK' if found.is_good else 'PROBLEM'}: {found.summary}")
        for problem in found.problems:
            click.echo(f"PROBLEM: {problem}")
        for warning in found.warnings:
            click.echo(f"warning: {warning}")
    ctx.exit(EXIT_DONE if found.is_good else EXIT_ISSUES)


def _dict(found: heartbeat.Health) -> dict[str, object]:
    return {"problems": found.problems, "warnings": found.warnings, "summary": found.summary}
