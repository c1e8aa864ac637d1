"""itopd: the batch half of iTop as one daemon."""

__version__ = "0.1.0"
