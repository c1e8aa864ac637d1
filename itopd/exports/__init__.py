"""The service ``export``: whatever an OQL query selects, as a file (``spec/export.md``)."""

from itopd.deferred import deferred
from itopd.exports.errors import BadCharset, BadField, BadFormat, BadQueryId, MissingParameter
from itopd.exports.parameters import ExportParameters
from itopd.service import Service

__all__ = ["SERVICE", "BadCharset", "BadField", "BadFormat", "BadQueryId", "ExportParameters", "MissingParameter"]

SERVICE = Service(
    name="export",
    help="Write what an OQL query selects, as csv, json or jsonl.",
    parameters=ExportParameters,
    run=deferred("itopd.exports.run:run"),
    writes=False,
)
