from .addresses import valid_address
from .claims import Rescued
from .delivery import Delivery, Limits, deliver
from .message import Address, Attachment, Message, Part
from .payload import PayloadError, read_payload, write_payload
from .queue import QueueCount, QueueDepth, QueueRow, counts, depth, listing, put, put_all
from .redirect import names_of, redirection_of
from .retries import RetryPolicy, retry_policy
from .transport import Transport
from .transports import open_transport
from .waiting import MailsWaiting

__all__ = [
    "Address",
    "Attachment",
    "Delivery",
    "Limits",
    "MailsWaiting",
    "Message",
    "Part",
    "PayloadError",
    "QueueCount",
    "QueueDepth",
    "QueueRow",
    "Rescued",
    "RetryPolicy",
    "Transport",
    "counts",
    "deliver",
    "depth",
    "listing",
    "names_of",
    "open_transport",
    "put",
    "put_all",
    "read_payload",
    "redirection_of",
    "retry_policy",
    "valid_address",
    "write_payload",
]
