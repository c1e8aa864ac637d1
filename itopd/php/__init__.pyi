from .codec import PhpError, PhpValue, property_array, serialize, unserialize
from .config import ItopConfig, expand_placeholders, read_config, read_itop_settings
from .dictionaries import DictionaryFile, read_dictionary

__all__ = [
    "DictionaryFile",
    "ItopConfig",
    "PhpError",
    "PhpValue",
    "expand_placeholders",
    "property_array",
    "read_config",
    "read_dictionary",
    "read_itop_settings",
    "serialize",
    "unserialize",
]
