"""PHP as data: serialized payloads, the literals of ``config-itop.php``, dictionaries. Nothing here runs PHP."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
