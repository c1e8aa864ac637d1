"""The CSV import (``spec/import.md``): the service ``import``."""

from itopd.deferred import deferred
from itopd.imports.parameters import Parameters
from itopd.service import Service

__all__ = ["SERVICE"]

SERVICE = Service(
    name="import",
    help="Create and update objects from a CSV file.",
    parameters=Parameters,
    run=deferred("itopd.imports.run:run"),
)
