"""Reading objects in chunks: by id, by values, their names (``spec/objects.md`` §1-§3).

Every function costs a fixed number of statements per chunk of ids or rows, never one per object.
"""

from itopd.objects.fetch import CHUNK, Record, fetch, final_classes, friendly_name, friendly_names
from itopd.objects.find import equality, find
from itopd.objects.rows import chunks, is_stored, reading, stored_codes
from itopd.objects.tags import TAG_CLASS, tag_labels
from itopd.objects.visible import is_filtered, seen, visible_ids

__all__ = [
    "CHUNK",
    "TAG_CLASS",
    "Record",
    "chunks",
    "equality",
    "fetch",
    "final_classes",
    "find",
    "friendly_name",
    "friendly_names",
    "is_filtered",
    "is_stored",
    "reading",
    "seen",
    "stored_codes",
    "tag_labels",
    "visible_ids",
]
