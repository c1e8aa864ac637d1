"""From a running iTop to an itopd beside it: what its folder says, what itopd may do there, who runs which process."""

from itopd.attaching.hand_over import Outcome, give_back, take_over

__all__ = ["Outcome", "give_back", "take_over"]
