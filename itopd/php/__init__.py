"""PHP as data: serialized payloads, the literals of ``config-itop.php``, dictionaries. Nothing here runs PHP."""

from itopd.php.codec import PhpError, PhpValue, property_array, serialize, unserialize
from itopd.php.config import ItopConfig, expand_placeholders, read_config, read_itop_settings
from itopd.php.dictionaries import DictionaryFile, read_dictionary

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
