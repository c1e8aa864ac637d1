"""E-mails: the queue in iTop's tables, MIME, and the ways out.

:func:`put` queues a :class:`Message` in the caller's transaction; :func:`deliver` sends what is due, one commit per
mail; :func:`listing` and :func:`counts` show what is there. One mail goes queue -> claims -> payload -> compose -> a
transport -> claims. A crash loses nothing and repeats at most the mail in flight, with the same Message-ID.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
