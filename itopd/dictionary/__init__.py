"""Labels of classes, attributes and values, and a few words, in the language of the acting account.

``bundled_dictionary(model)`` holds what came with the model's files, ``AttachedTexts`` what an attached iTop says, to
be put before it with ``with_texts``; an account reads through ``in_language``.
"""

from itopd.dictionary.attached import AttachedTexts
from itopd.dictionary.labels import ENGLISH, Dictionary, bundled_dictionary

__all__ = ["ENGLISH", "AttachedTexts", "Dictionary", "bundled_dictionary"]
