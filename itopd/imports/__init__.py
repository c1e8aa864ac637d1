"""The CSV import (``spec/import.md``): the service ``import``."""

from itopd.imports.parameters import Parameters
from itopd.imports.run import run
from itopd.service import Service

__all__ = ["SERVICE"]

SERVICE = Service(
    name="import",
    help="Create and update objects from a CSV file.",
    parameters=Parameters,
    run=run,
)
