"""The state store: what itopd alone must remember, kept apart from iTop's tables.

``open_state(url)`` opens it (a SQLite file of its own, or a database ``itopd`` on a MariaDB/MySQL server) and brings
its schema up to date. ``ledger`` holds the run ledger, ``run_logs`` what runs logged, ``leases`` who owns what,
``instances`` which processes carry out runs, ``tasks`` the rows of itopd's own tasks and jobs. All statements are tiny;
none keeps a transaction open while something runs.
"""

from itopd.state import (
    fingerprints,
    instances,
    interventions,
    leases,
    ledger,
    mail_claims,
    run_logs,
    served,
    taken_over,
    tasks,
)
from itopd.state.fingerprints import Adoption, Difference, Fingerprint
from itopd.state.instances import Instance
from itopd.state.leases import LeaseLost
from itopd.state.opening import open_state
from itopd.state.owners import Owner, this_process
from itopd.state.runs import ClaimRefused, Head, Run, RunState, Subject, SubjectKind
from itopd.state.store import StateStore
from itopd.state.tasks import RowChange, TaskRow, TaskRows, TaskStatus

__all__ = [
    "Adoption",
    "ClaimRefused",
    "Difference",
    "Fingerprint",
    "Head",
    "Instance",
    "LeaseLost",
    "Owner",
    "RowChange",
    "Run",
    "RunState",
    "StateStore",
    "Subject",
    "SubjectKind",
    "TaskRow",
    "TaskRows",
    "TaskStatus",
    "fingerprints",
    "instances",
    "interventions",
    "leases",
    "ledger",
    "mail_claims",
    "open_state",
    "run_logs",
    "served",
    "taken_over",
    "tasks",
    "this_process",
]
