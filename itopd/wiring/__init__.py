"""The one place that knows all: settings become an application, a catalogue of services, a heartbeat."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
