"""Links between two network devices come in pairs (``spec/objects.md`` §9.3).

A ``lnkConnectableCIToNetworkDevice`` whose connected device is itself a ``NetworkDevice`` has a twin: ends and ports
swapped, uplink for downlink. The twin is created and updated with it. A link that ceases to join two network devices
keeps no twin up to date any more; the old twin is left for whoever deletes links.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Final

from itopd.datamodel import Class
from itopd.writing import Create, Doom, Draft, Hooks, Intent, Present, Update

_LINK: Final = "lnkConnectableCIToNetworkDevice"
_DEVICE: Final = "NetworkDevice"
_SWAPPED: Final[Mapping[str, str]] = {
    "networkdevice_id": "connectableci_id",
    "connectableci_id": "networkdevice_id",
    "network_port": "device_port",
    "device_port": "network_port",
}
_OPPOSITE: Final = {"uplink": "downlink", "downlink": "uplink"}


class NetworkLinkTwin:
    """Keeps the twin of a link between two network devices."""

    classes = frozenset({_LINK})

    def prepare(self, present: Present, drafts: Sequence[Draft]) -> Hooks:
        """Load the links that may be twins: those between the same devices, the other way round."""
        pairs = {
            (read("connectableci_id"), read("networkdevice_id"))
            for draft in drafts
            for read in (draft.value, draft.before)
        }
        ends = sorted(pair for pair in pairs if 0 not in pair)
        found = present.find(_LINK, ("networkdevice_id", "connectableci_id"), ends)
        present.load(_LINK, [id_ for ids in found for id_ in ids])
        return _Twins(present)


class _Twins(Hooks):
    def __init__(self, present: Present) -> None:
        self._present = present

    def follow(self, draft: Draft) -> Sequence[Intent]:
        """Return the creation or the update of the twin, unless it is there as it should be."""
        if self._present.final_class("ConnectableCI", draft.value("connectableci_id")) != _DEVICE:
            return ()
        twin = _twin(draft.value)
        if self._others(draft, twin):
            return ()
        outdated = [] if draft.new else self._others(draft, _twin(draft.before))
        return [Update(_LINK, outdated[0], twin) if outdated else Create(_LINK, twin)]

    def _others(self, draft: Draft, values: Mapping[str, Any]) -> list[int]:
        return [id_ for id_ in self._present.matching(_LINK, values) if id_ != draft.id]


class NetworkLinkEnd:
    """The twin goes with its link."""

    classes = frozenset({_LINK})
    minds_deletions = False

    def judge(self, present: Present, cls: Class, ids: Sequence[int]) -> Mapping[int, Doom]:
        """Find the twins of links: one statement."""
        del cls
        codes = (*_SWAPPED, "connection_type")
        twins = {id_: _twin(partial(present.value, _LINK, id_)) for id_ in ids}
        rows = [tuple(twin[code] for code in codes) for twin in twins.values()]
        found = zip(twins, present.find(_LINK, codes, rows), strict=True)
        return {id_: Doom(also=tuple((_LINK, other) for other in others if other != id_)) for id_, others in found}


def _twin(read: Callable[[str], Any]) -> dict[str, Any]:
    """Return the values of the twin of a link with these values."""
    kind = read("connection_type")
    values = {code: read(swapped) for code, swapped in _SWAPPED.items()}
    return {**values, "connection_type": _OPPOSITE.get(kind, kind)}
