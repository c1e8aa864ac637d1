"""The mails of the queue."""

from __future__ import annotations

from benchmarks.databases import Place, opened
from itopd.clock import SystemClock, to_itop
from itopd.mail import Address, Message, put_all

_BODY = """<p>Dear caller,</p>
<p>the status of your request <strong>R-{number:06}</strong> is now <em>assigned</em>. Our team has been informed and
will come back to you before the end of the working day.</p>
<table><tr><th>Service</th><td>Réseau &amp; Telephony</td></tr><tr><th>Priority</th><td>medium</td></tr></table>
<ul><li>Do not answer this mail.</li><li>Follow the request in
<a href="https://itop.grid.example/pages/UI.php?operation=details&amp;class=UserRequest&amp;id={number}">iTop</a>.</li>
</ul><p>Kind regards,<br>the service desk of Northwind Grid</p>"""


def queue_mails(place: Place, count: int) -> None:
    """Put ``count`` notifications into the queue."""
    messages = [
        Message(
            sender=Address("servicedesk@grid.example", "Service desk Énergie"),
            to=f"caller{number}@grid.example",
            subject=f"[R-{number:06}] Your request has been assigned – équipe réseau",
            body=_BODY.format(number=number),
        )
        for number in range(1, count + 1)
    ]
    with opened(place) as database, database.write() as connection:
        now = to_itop(SystemClock().now(), database.timezone)
        put_all(connection, database, [(message, 0) for message in messages], now)
