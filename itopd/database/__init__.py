"""Engines, Model -> tables, the collation key, bulk statements, ids and iTop's mutexes.

:func:`open_database` gives a :class:`Database`; :func:`collation_key` is the only definition of iTop's equality and
order outside MariaDB.
"""

from itopd.database.bulk import insert_rows, update_rows
from itopd.database.collation import collation_key, like_characters
from itopd.database.database import Database, open_database, open_fitted_database
from itopd.database.engines import reason
from itopd.database.locks import HeldLock, mutex_name
from itopd.database.postgresql import Unstorable
from itopd.database.repeating import Repeats, TransactionUndone, was_undone
from itopd.database.servers import server_identity
from itopd.database.tables import Index, IndexKind, TableDefinition

__all__ = [
    "Database",
    "HeldLock",
    "Index",
    "IndexKind",
    "Repeats",
    "TableDefinition",
    "TransactionUndone",
    "Unstorable",
    "collation_key",
    "insert_rows",
    "like_characters",
    "mutex_name",
    "open_database",
    "open_fitted_database",
    "reason",
    "server_identity",
    "update_rows",
    "was_undone",
]
