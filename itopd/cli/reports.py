"""What a round of the heartbeat did, for people."""

from __future__ import annotations

from functools import partial

import click

from itopd.heartbeat import TickReport


def print_report(report: TickReport, *, err: bool = False, nothing: str = "nothing is due") -> None:
    """Print a line per run, per thing that others are at work on, and per problem; ``err``: on standard error."""
    say = partial(click.echo, err=err)
    for run in report.runs:
        end = "handed back" if run.handed_back else "done" if run.succeeded else f"FAILED ({run.exit_code})"
        told = (run.message if run.succeeded else run.error).rstrip()
        say(f"{run.subject.name}: {end} in {run.seconds:.1f} s{': ' if told else ''}{told}")
    for held in report.held:
        say(f"{held.subject.name}: at work at {held.owner} since {held.since:%Y-%m-%d %H:%M:%S} UTC")
    for subject in report.queued:
        say(f"{subject.name}: waits for a worker")
    for problem in report.problems:
        say(f"TO DO: {problem}")
    if report.refused:
        say(f"REFUSED: {report.refused}")
    if not (report.runs or report.held or report.queued or report.problems or report.refused):
        say(nothing)
