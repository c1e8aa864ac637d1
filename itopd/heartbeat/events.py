"""The log events of the heartbeat: a fixed word each, documented here and tested against the code."""

from __future__ import annotations

EVENTS = {
    "daemon_started": "the daemon is ready: owner, tasks, jobs",
    "daemon_stopping": "SIGTERM or SIGINT came: nothing is claimed any more; running, stop_timeout",
    "daemon_stopped": "everything is finished or handed back; exit_code",
    "loop_died": "one of the daemon's loops ended with an error; the daemon stops with exit code 70",
    "jobs_loaded": "the jobs folder was read: jobs, broken",
    "job_broken": "a job file is wrong; only this job does not run: problem",
    "job_warning": "a job file was read, but something in it looks wrong: warning",
    "task_disabled": "a task's settings are wrong; only this task does not run: problem",
    "run_claimed": "a run was claimed: kind, name, due, attempt, late_seconds",
    "run_started": "its process works: pid",
    "run_finished": "it ended well: seconds, message, counters, next_due",
    "run_failed": "it failed: error, exit_code, failures (in a row), next_due",
    "run_handed_back": "it was stopped and is due again at once; the attempt is not counted",
    "run_lost": "its owner died or was silent for longer than its lease: owner, attempts",
    "run_given_up": "its owners died too often; it is failed and the next date counts",
    "run_limit_reached": "it works for longer than its soft limit and was asked to stop",
    "run_killed": "it did not stop and was killed: reason",
    "lease_lost": "somebody took over a run of ours; its result is not recorded",
    "database_away": "the database or the state store does not answer: error, retry_in",
    "database_back": "it answers again",
    "heartbeat_closed": "nothing begins while iTop is under maintenance or read-only: reason",
    "heartbeat_open": "that is over",
    "writes_refused": "mails, tasks and jobs that write do not begin (a clone, a broken data model): reason",
    "writes_allowed": "that is over",
    "model_changed": "iTop's set-up has run: runs that begin from now on load the new data model: model",
    "model_ready": "the process that runs are forked from has the new data model",
    "model_not_ready": "it could not be started anew: tried again; runs load the model themselves: reason",
    "ledger_pruned": "old runs were forgotten: runs",
}
"""Event and meaning. Every event about a run carries ``run_id``, ``kind`` and ``name``."""
