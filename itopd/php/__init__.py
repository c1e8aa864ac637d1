"""PHP as data: serialized payloads and the literals of ``config-itop.php``. Nothing here runs PHP."""

from itopd.php.codec import PhpError, PhpValue, property_array, serialize, unserialize

__all__ = ["PhpError", "PhpValue", "property_array", "serialize", "unserialize"]
