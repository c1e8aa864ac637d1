"""Reading objects in chunks: by id, by values, their names (``spec/objects.md`` §1-§3).

Every function costs a fixed number of statements per chunk of ids or rows, never one per object.
"""

from itopd.objects.fetch import CHUNK, Record, fetch, final_classes, friendly_names
from itopd.objects.find import find

__all__ = ["CHUNK", "Record", "fetch", "final_classes", "find", "friendly_names"]
