"""What every child process needs: loaded once by the server that they are forked from, then shared.

Importing this module does it, so nobody but that server imports it; the environment tells it which settings hold.
Loading the model of an attached iTop takes 0.2 s, too much for a task that runs every two seconds.
"""

import os

import itopd.exports.run
import itopd.imports.run
import itopd.wiring.heartbeat
import itopd.wiring.job_work
import itopd.wiring.task_work  # noqa: F401 - all five: what runs do, for the children to have it
from itopd.datamodel import bundled_model
from itopd.errors import ItopdError
from itopd.oql import parse
from itopd.wiring.catalogue import load
from itopd.wiring.config_files import config_files
from itopd.wiring.databases import model_of

try:
    model_of(load(config_files(), {}, os.environ).settings)
except ItopdError:  # whatever is wrong, each run meets it again and reports it
    bundled_model()
parse("SELECT Person")
