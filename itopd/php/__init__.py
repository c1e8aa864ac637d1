"""PHP as data: serialized payloads and the literals of ``config-itop.php``. Nothing here runs PHP."""

from itopd.php.codec import PhpError, PhpValue, property_array, serialize, unserialize
from itopd.php.config import ItopConfig, expand_placeholders, read_config, read_itop_settings

__all__ = [
    "ItopConfig",
    "PhpError",
    "PhpValue",
    "expand_placeholders",
    "property_array",
    "read_config",
    "read_itop_settings",
    "serialize",
    "unserialize",
]
