"""A whole database to another one, any engine to any engine: ``itopd db copy``.

:func:`copy_database` streams the rows of one snapshot, table by table, in bounded memory. Values that the target
cannot hold are found and named before anything is called done; a copy that is not complete is marked as such.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
