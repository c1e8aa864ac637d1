"""E-mails: the queue in iTop's tables, MIME, and the ways out.

:func:`put` queues a :class:`Message` in the caller's transaction; :func:`deliver` sends what is due, one commit per
mail; :func:`listing` and :func:`counts` show what is there. One mail goes queue -> claims -> payload -> compose -> a
transport -> claims. A crash loses nothing and repeats at most the mail in flight, with the same Message-ID.
"""

from itopd.mail.addresses import valid_address
from itopd.mail.claims import Rescued
from itopd.mail.delivery import Delivery, Limits, deliver
from itopd.mail.message import Address, Attachment, Message, Part
from itopd.mail.payload import PayloadError, read_payload, write_payload
from itopd.mail.queue import QueueCount, QueueDepth, QueueRow, counts, depth, listing, put, put_all
from itopd.mail.redirect import names_of, redirection_of
from itopd.mail.retries import RetryPolicy, retry_policy
from itopd.mail.transport import Transport
from itopd.mail.transports import open_transport
from itopd.mail.waiting import MailsWaiting

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
