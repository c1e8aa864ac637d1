"""Parameters files, declared parameters of services, and the settings with the origin of each value."""

from itopd.settings.model import Settings

__all__ = ["Settings"]
