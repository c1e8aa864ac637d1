"""The example jobs that are shipped can be loaded, and do not run until somebody enables them."""

from __future__ import annotations

from pathlib import Path

from itopd.heartbeat import load_jobs
from itopd.settings import Settings
from itopd.wiring import job_services


def test_the_shipped_jobs_are_right_and_disabled() -> None:
    jobs = load_jobs(Path(__file__).parents[2] / "config" / "jobs", job_services(Settings()), Settings().zone)
    assert (jobs.broken, jobs.warnings) == ((), ())
    assert [(job.name, job.service, job.enabled) for job in jobs.jobs] == [
        ("export-persons", "export", False),
        ("import-persons", "import", False),
    ]
