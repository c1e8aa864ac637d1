"""The service ``export``: whatever an OQL query selects, as a file (``spec/export.md``)."""

from itopd.exports.errors import BadCharset, BadField, BadFormat, BadQueryId, MissingParameter
from itopd.exports.parameters import ExportParameters
from itopd.exports.run import SERVICE

__all__ = ["SERVICE", "BadCharset", "BadField", "BadFormat", "BadQueryId", "ExportParameters", "MissingParameter"]
