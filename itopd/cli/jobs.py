"""``itopd job``: the scheduled jobs."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

import click

from itopd import heartbeat
from itopd.cli.edge import settings_files, settings_of
from itopd.cli.job_texts import COMING_HEADER, coming_row, described, list_row, listed
from itopd.cli.progress import terminal_status
from itopd.cli.reports import print_report
from itopd.cli.tables import print_table
from itopd.errors import EXIT_DONE, EXIT_ISSUES, ConflictError, SettingsError
from itopd.heartbeat import Heartbeat, Job, TickReport, load_job
from itopd.heartbeat.jobs import control
from itopd.heartbeat.jobs.control import JobView
from itopd.heartbeat.problems import problems_of
from itopd.settings import Settings, parse_arguments
from itopd.wiring import job_services, open_heartbeat

as_json = click.option("--json", "as_json", is_flag=True, help="As JSON, times with their offset from UTC.")


@click.group("job")
def job_command() -> None:
    """List and show the jobs, run one now, pause and resume one, tell the coming times."""


@job_command.command("list", short_help="the jobs: service, schedule, next and last run")
@as_json
@click.pass_obj
def list_(config: str | None, as_json: bool) -> None:
    """List the jobs of the jobs folder: service, schedule, when the next run is due, how the last one ended."""
    settings = settings_of(config).settings
    with open_heartbeat(settings, settings_files(config)) as beat:
        jobs = beat.load_jobs()
        found, problems = control.views(beat, jobs), problems_of(beat, jobs)
    if as_json:
        broken = [{"name": one.name, "file": str(one.path), "problem": one.problem} for one in jobs.broken]
        _print_json(
            {
                "jobs": [listed(view) for view in found],
                "broken": broken,
                "problems": problems,
                "warnings": jobs.warnings,
            }
        )
        return
    if not found:
        click.echo(f"no jobs in {settings.jobs_folder}")
    else:
        header = ("job", "service", "schedule", "next run", "last run")
        print_table(header, [list_row(view, settings.zone) for view in found])
    for problem in problems:
        click.echo(f"TO DO: {problem}")
    for warning in jobs.warnings:
        click.echo(f"LOOK AT: {warning}")


@job_command.command("show", short_help="all that is known about a job")
@click.argument("name")
@as_json
@click.pass_obj
def show(config: str | None, name: str, as_json: bool) -> None:
    """Show the job NAME: its keys (no passwords), its schedule, its coming times, its last runs."""
    settings = settings_of(config).settings
    with open_heartbeat(settings, settings_files(config)) as beat:
        view = _view(beat, name)
        seen = described(view, beat)
    if as_json:
        _print_json(seen)
        return
    for key, value in seen.items():
        lines = value if isinstance(value, list) else [value]
        for number, line in enumerate(lines):
            click.echo(f"{'' if number else key:<14}{_in_line(line)}")


@job_command.command("next", short_help="the coming times of a job, or of all")
@click.argument("name", required=False)
@click.option("--count", type=click.IntRange(1, 1000), default=5, show_default=True, help="How many times.")
@as_json
@click.pass_obj
def next_(config: str | None, name: str | None, count: int, as_json: bool) -> None:
    """Tell the coming times of the job NAME, of all jobs without it: on the clock of the job's zone, with its offset.

    Where the clock changes it says what that does to the run.
    """
    settings = settings_of(config).settings
    with open_heartbeat(settings, settings_files(config)) as beat:
        wanted = control.views(beat, beat.load_jobs()) if name is None else [_view(beat, name)]
        now = beat.clock.now()
    times = [one for view in wanted for one in control.coming(view, now, count)]
    times = sorted(times, key=lambda one: one.at)[:count]
    if as_json:
        _print_json([{"job": one.name, "at": one.local.isoformat(), "note": one.note} for one in times])
    elif times:
        print_table(COMING_HEADER, [coming_row(one) for one in times])
    for view in wanted if not as_json else ():
        if view.job.hot_folder is not None:
            click.echo(f"{view.job.name}: whenever a file appears, {view.job.schedule.text}")
        elif name is not None and not times:
            click.echo(f"{name}: never by itself, it is {view.condition}")


@job_command.command("pause", short_help="keep a job from running by itself")
@click.argument("name")
@click.pass_obj
def pause(config: str | None, name: str) -> None:
    """Keep the job NAME from running by itself until it is resumed; a run under way goes on.

    It holds for all heartbeats on this state store, and when the jobs are read anew.
    """
    with open_heartbeat(settings_of(config).settings, settings_files(config)) as beat:
        done = control.pause(beat, name)
    click.echo(f"{name} is paused; 'itopd job resume {name}' ends that" if done else f"{name} was paused already")


@job_command.command("resume", short_help="let a job run again that was paused or set aside")
@click.argument("name")
@click.pass_context
def resume(ctx: click.Context, name: str) -> None:
    """Let the job NAME run again that was paused, or set aside since its processes died three times in a row.

    What it missed meanwhile is not run; its next planned time counts. Exit code 1 when it was neither.
    """
    with open_heartbeat(settings_of(ctx.obj).settings, settings_files(ctx.obj)) as beat:
        done = control.resume(beat, name)
        planned = _view(beat, name)
    if not done:
        click.echo(f"{name} was neither paused nor set aside")
        ctx.exit(EXIT_ISSUES)
    times = control.coming(planned, beat.clock.now(), 1)
    click.echo(f"{name} runs again" + (f", next at {coming_row(times[0])[1]}" if times else ""))


@job_command.command("run", short_help="run a job now", context_settings={"ignore_unknown_options": True})
@click.argument("name")
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[--KEY=VALUE]...")
@click.pass_context
def run(ctx: click.Context, name: str, words: tuple[str, ...]) -> None:
    """Run the job NAME now, under the same rules as at its time: recorded in the ledger, never twice at once.

    --KEY=VALUE wins over the key in the job's file, for this once. A job without output_file prints its result on
    standard output; how the run went is told on standard error. Of a watched folder all files are worked off.

    Exit code: that of the service (0 done, 1 done with issues, ...), 75 when the job runs elsewhere.
    """
    settings = settings_of(ctx.obj).settings
    with open_heartbeat(settings, settings_files(ctx.obj), starts=True) as beat:
        instead = _with_keys(beat, settings, name, words)
        with terminal_status(name) as tell:
            report, output = _run_printing(beat, instead, tell)
    if output is not None:
        with output:
            shutil.copyfileobj(output, sys.stdout.buffer)
        sys.stdout.buffer.flush()
    nothing = f"no file waits in {instead.hot_folder.watch.folder}" if instead.hot_folder else "nothing is due"
    print_report(report, err=True, nothing=nothing)
    ctx.exit(_exit_code(report))


def _run_printing(beat: Heartbeat, job: Job, tell: Callable[[str], None]) -> tuple[TickReport, BinaryIO | None]:
    """Run a job; return its result as an open file when its file names no place for it."""
    if job.results.template or job.hot_folder is not None:
        return heartbeat.run_now(beat, job.name, instead=job, tell=tell), None
    with tempfile.TemporaryDirectory(prefix="itopd-job-") as folder:
        path = Path(folder) / "output"
        report = heartbeat.run_now(beat, job.name, instead=job.writing_to(path), tell=tell)
        return report, path.open("rb") if path.exists() else None


def _with_keys(beat: Heartbeat, settings: Settings, name: str, words: Sequence[str]) -> Job:
    """Return a job with the keys of the command line in place of those of its file."""
    job = control.find(beat.load_jobs(), name)
    given, overlooked = parse_arguments(words)
    if overlooked:
        raise SettingsError("; ".join(overlooked))
    arguments: Mapping[str, str] = {key: str(value) for key, value in given.items()}
    return load_job(job.path, job_services(settings), settings.zone, arguments) if arguments else job


def _view(beat: Heartbeat, name: str) -> JobView:
    jobs = beat.load_jobs()
    control.find(jobs, name)
    return next(view for view in control.views(beat, jobs) if view.job.name == name)


def _exit_code(report: TickReport) -> int:
    if not report.runs:
        return ConflictError.exit_code if report.held else EXIT_DONE
    failed = [run.exit_code for run in report.runs if not run.succeeded]
    return failed[0] if failed else max(run.exit_code for run in report.runs)


def _in_line(value: object) -> str:
    return str(value).replace("\n", "\n" + " " * 14)


def _print_json(value: object) -> None:
    click.echo(json.dumps(value, ensure_ascii=False, indent=1))
