"""What a round of the heartbeat did, for people."""

from __future__ import annotations

import click

from itopd.heartbeat import TickReport


def print_report(report: TickReport) -> None:
    """Print a line per run, per thing that others are at work on, and per problem."""
    for run in report.runs:
        end = "handed back" if run.handed_back else "done" if run.succeeded else f"FAILED ({run.exit_code})"
        click.echo(f"{run.subject.name}: {end} in {run.seconds:.1f} s: {run.message if run.succeeded else run.error}")
    for held in report.held:
        click.echo(f"{held.subject.name}: at work at {held.owner} since {held.since:%Y-%m-%d %H:%M:%S} UTC")
    for problem in report.problems:
        click.echo(f"TO DO: {problem}")
    if report.refused:
        click.echo(f"REFUSED: {report.refused}")
    if not (report.runs or report.held or report.problems or report.refused):
        click.echo("nothing is due")
