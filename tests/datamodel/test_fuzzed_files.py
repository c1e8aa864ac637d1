"""Whatever stands in a data model file: it is read, or refused with a ModelError. Nothing else happens."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from itopd.datamodel import Model
from itopd.datamodel.loading import BUNDLED, build_model
from itopd.datamodel.source import parse_source
from itopd.errors import ModelError

SEED = (BUNDLED / "39-requests.xml").read_text(encoding="utf-8")
OTHERS = [parse_source((BUNDLED / f"{name}.xml").read_bytes(), name) for name in ("31-structure", "32-tickets")]
PLACES = [match.span(1) for match in re.finditer(r">([^<>\s]+)<", SEED)] + [
    match.span(1) for match in re.finditer(r'(?:id|xsi:type)="([^"]+)"', SEED)
]
WORDS = st.one_of(
    st.sampled_from(
        ["", "0", "-1", "²", "1e9", "true", "UserRequest", "status", "org_id", "AttributeString", "DEL_AUTO"]
    ),
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs"), exclude_characters="<>&\"'￾￿"), max_size=12),
)


def read(text: str) -> Model | None:
    try:
        return build_model([*OTHERS, parse_source(text.encode(), "some.xml")])
    except ModelError:
        return None


@settings(max_examples=150, deadline=None)
@given(changes=st.lists(st.tuples(st.sampled_from(PLACES), WORDS), max_size=4))
def test_a_file_with_other_words_is_read_or_refused(changes: list[tuple[tuple[int, int], str]]) -> None:
    text = SEED
    for (start, end), word in sorted(dict(changes).items(), reverse=True):
        text = text[:start] + word + text[end:]
    model = read(text)
    assert model is not None or changes, "the file as it is can be read"
    for cls in (model or {}).values():
        assert cls.lineage[-1] == cls.name
        assert set(cls.subclasses) <= set(model or {})
