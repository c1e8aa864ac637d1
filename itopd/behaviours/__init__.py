"""What iTop's default classes do by program when they are written (``spec/objects.md`` §9), one module each.

``BEHAVIOURS`` and ``DELETIONS`` are what ``wiring`` hands to the writer; ``ported`` tells what else iTop's PHP would
do, ``lost`` what an object lacks without it.
"""

from itopd.behaviours.accounts import Accounts, Grants, LocalPassword, OwnAccount
from itopd.behaviours.attachments import AttachmentOrganization, AttachmentOrigin, AttachmentsOfTicket
from itopd.behaviours.exported import ExportOwner
from itopd.behaviours.installed import installed_behaviours
from itopd.behaviours.instants import CreationInstant
from itopd.behaviours.lost import what_is_lost
from itopd.behaviours.network_links import NetworkLinkEnd, NetworkLinkTwin
from itopd.behaviours.ported import Ported, UnportedGuard, unported_classes
from itopd.behaviours.profiles import FixedProfile
from itopd.behaviours.tags import TagInUse, TagRules
from itopd.behaviours.tickets import ParentLogs, ParentRequest, TicketDates, TicketReference, WorkOrderLog
from itopd.behaviours.triggers import TriggerTarget
from itopd.settings import Settings
from itopd.writing import Behaviour, DeletionRule

BEHAVIOURS: tuple[Behaviour, ...] = (
    NetworkLinkTwin(),
    CreationInstant(),
    TagRules(),
    TicketReference(),
    TicketDates(),
    ParentRequest(),
    ParentLogs(),
    WorkOrderLog(),
    Accounts(),
    LocalPassword(),
    Grants(),
    AttachmentOrigin(),
    AttachmentOrganization(),
    ExportOwner(),
    TriggerTarget(),
)
DELETIONS: tuple[DeletionRule, ...] = (
    NetworkLinkEnd(),
    TagInUse(),
    FixedProfile(),
    AttachmentsOfTicket(),
    OwnAccount(),
)


def behaviours_of(settings: Settings) -> tuple[Behaviour, ...]:
    """Return the behaviours as settings have them, with their policy for passwords, and those of installed packages.

    Raises :class:`~itopd.errors.SettingsError` for an installed one that cannot be loaded.
    """
    policy = LocalPassword(settings.authent_local_password_validation_pattern)
    own = (policy if isinstance(one, LocalPassword) else one for one in BEHAVIOURS)
    return (*own, *installed_behaviours())


__all__ = [
    "BEHAVIOURS",
    "DELETIONS",
    "CreationInstant",
    "LocalPassword",
    "NetworkLinkTwin",
    "Ported",
    "TagRules",
    "UnportedGuard",
    "behaviours_of",
    "unported_classes",
    "what_is_lost",
]
