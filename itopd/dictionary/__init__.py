"""Labels of classes, attributes and values, and a few words, in the language of the acting account.

``bundled_dictionary(model)`` holds what came with the model's files; an account reads through ``in_language``.
"""

from itopd.dictionary.labels import ENGLISH, Dictionary, bundled_dictionary

__all__ = ["ENGLISH", "Dictionary", "bundled_dictionary"]
