"""What a child process does for a run of a job: the service with the job's keys, its output published.

Only processes that run jobs import this: :mod:`itopd.wiring.jobs`, which reads what jobs there are, does not.
"""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO, Final, cast

import structlog

from itopd.errors import EXIT_DONE, EXIT_ISSUES, MissingFile
from itopd.heartbeat import Control, RunOutcome, RunSpec
from itopd.heartbeat.jobs.hot_folder import FILE_SIGN, name_of
from itopd.heartbeat.jobs.results import Results
from itopd.settings import Origin, ParameterFile, Settings, resolve_parameters
from itopd.tabular import published
from itopd.wiring.application import open_application
from itopd.wiring.catalogue import SERVICES, call_names, call_parameters
from itopd.wiring.guard import require_adopted
from itopd.wiring.hot_folder import perform_on_file
from itopd.wiring.jobs import FED, MADE
from itopd.wiring.own_state import open_own_state

_NOT_OURS: Final = "its lease was not renewed for too long: another process may do it, so its result is not published"


def perform_job(settings: Settings, spec: RunSpec, control: Control) -> RunOutcome:
    """Run the service of a job with the job's keys; its output goes to ``output_file``, whole or not at all."""
    if "watch" in spec.job_keys:
        suffix = ".csv" if spec.parameters.get("output") == "details" else ".txt"
        return perform_on_file(
            spec,
            suffix,
            lambda path, output: _serve(settings, spec, _keys_for(spec, path), control, output),
        )

    def run(output: BinaryIO) -> RunOutcome:
        outcome = _serve(settings, spec, spec.parameters, control, output)
        return outcome if control.is_ours() else replace(outcome, succeeded=False, exit_code=75, error=_NOT_OURS)

    outcome = _with_output(spec.output_file, run)
    if outcome.succeeded:
        _remove_surplus(spec)
    return outcome


def _keys_for(spec: RunSpec, path: Path) -> Mapping[str, str]:
    """Return the keys of a job for one watched file."""
    name, given = name_of(path), spec.parameters
    made = {key: given[key].replace(FILE_SIGN, name) for key in MADE.get(spec.service, ()) if key in given}
    return {**given, **made, FED[spec.service]: str(path)}


def _as_file(keys: Mapping[str, str]) -> ParameterFile:
    """Return the keys of a job as a parameters file; the heartbeat adds file and line to what is said of them."""
    return ParameterFile(keys, dict.fromkeys(keys, Origin("file", "the job")))


def _serve(
    settings: Settings, spec: RunSpec, keys: Mapping[str, str], control: Control, output: BinaryIO
) -> RunOutcome:
    """Run the service with the keys of a job."""
    service = SERVICES[spec.service]
    file = _as_file(keys)
    call = call_parameters({}, file, settings.rules)
    # The ledger must tell a refused job from one that is done, whatever the exit codes of iTop's scripts.
    rules = replace(call.rules(settings), zero_exit_on_error=False)
    with open_application(settings, rules, reads=not service.writes) as application:
        if service.writes:
            with closing(open_own_state(settings, application.database)) as state:
                require_adopted(settings, application.database, state)
        parameters = resolve_parameters(
            service.parameters,
            {},
            file,
            rules,
            other_known=call_names(),
            is_class=application.database.model.__contains__,
        ).values
        account = application.account(call.auth_user, call.auth_pwd)
        context = application.context(
            account,
            output=output,
            output_name=spec.job_keys.get("output_name") or spec.output_file or "nowhere",
            progress=control.progress,
            run_id=spec.run_id,
            should_stop=control.should_stop,
        )
        result = service.run(context, parameters)
    return RunOutcome(
        succeeded=result.exit_code in {EXIT_DONE, EXIT_ISSUES},
        exit_code=result.exit_code,
        message=result.summary,
        counters=result.counters,
        unfinished=result.unfinished,
    )


def _remove_surplus(spec: RunSpec) -> None:
    """Remove earlier results beyond those to keep; one that cannot go is told and harms nothing."""
    results = Results(spec.name, spec.job_keys.get("output_template", ""), int(spec.job_keys.get("keep", "0")))
    log = structlog.get_logger()
    for path in results.surplus():
        try:
            path.unlink(missing_ok=True)
            log.info("result_removed", path=str(path))
        except OSError as error:
            log.warning("result_not_removed", path=str(path), reason=str(error))


def _with_output(path: str, run: Callable[[BinaryIO], RunOutcome]) -> RunOutcome:
    """Run with an output that appears at ``path`` whole or not at all, compressed when its name ends in ``.gz``."""
    if not path:
        with Path(os.devnull).open("wb") as nowhere:
            return run(nowhere)
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MissingFile(
            f"the folder of output_file {path} cannot be made ({error.strerror}): correct output_file, "
            "or let this account write there"
        ) from error
    try:
        with published(Path(path)) as file, _compressed(file, path) as output:
            return _whole(run(output))
    except _NotPublishedError as early:
        return early.outcome


@contextmanager
def _compressed(file: BinaryIO, path: str) -> Iterator[BinaryIO]:
    if not path.lower().endswith(".gz"):
        yield file
        return
    with gzip.GzipFile(filename=Path(path).stem, mode="wb", fileobj=file) as output:
        yield cast("BinaryIO", output)


def _whole(outcome: RunOutcome) -> RunOutcome:
    if not outcome.succeeded:
        raise _NotPublishedError(outcome)
    return outcome


class _NotPublishedError(Exception):
    """The run ended early: what it wrote is no result."""

    def __init__(self, outcome: RunOutcome) -> None:
        super().__init__(outcome.message)
        self.outcome = outcome
