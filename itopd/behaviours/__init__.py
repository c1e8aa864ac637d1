"""What iTop's default classes do by program when they are written (``spec/objects.md`` §9), one module each.

``BEHAVIOURS`` is what ``wiring`` hands to the writer; ``ported`` tells what else iTop's PHP would do.
"""

from itopd.behaviours.instants import CreationInstant
from itopd.behaviours.network_links import NetworkLinkTwin
from itopd.behaviours.ported import UnportedGuard, unported_classes
from itopd.behaviours.tags import TagRules
from itopd.writing import Behaviour

BEHAVIOURS: tuple[Behaviour, ...] = (NetworkLinkTwin(), CreationInstant(), TagRules())

__all__ = ["BEHAVIOURS", "CreationInstant", "NetworkLinkTwin", "TagRules", "UnportedGuard", "unported_classes"]
