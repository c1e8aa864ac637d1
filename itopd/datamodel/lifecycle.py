"""``<lifecycle>`` of a class -> stimuli and states with flags, transitions and actions (``objects.md`` §5.4, §6.4)."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from itopd.datamodel.model import Action, Attribute, Flag, State
from itopd.datamodel.source import DEEPEST, XSI_TYPE, Element, Place, children, text_of

_FLAGS: Mapping[str, Flag] = {
    "hidden": Flag.HIDDEN,
    "read_only": Flag.READONLY,
    "mandatory": Flag.MANDATORY,
    "must_change": Flag.MUSTCHANGE,
    "must_prompt": Flag.MUSTPROMPT,
    "slave": Flag.SLAVE,
}

_ASKED_ONCE = Flag.MUSTCHANGE | Flag.MUSTPROMPT
"""Flags about entering a state: another state does not inherit them (observed)."""


@dataclass(frozen=True, slots=True)
class LifeCycle:
    """The states of a class and what leads from one to another."""

    stimuli: Mapping[str, str]
    states: Mapping[str, State]

    def restricted_to(self, codes: Collection[str]) -> LifeCycle:
        """Return the life cycle without flags on attributes other than ``codes`` (those dropped from the class)."""
        return LifeCycle(self.stimuli, {code: _restricted(state, codes) for code, state in self.states.items()})


def states_of_enum(attribute: Attribute) -> dict[str, State]:
    """Return the states of a class that has a state attribute but no life cycle: its values, leading nowhere."""
    return {code: State(code, {}, {}) for code in attribute.values}


def read_lifecycle(element: Element, place: Place) -> LifeCycle:
    """Read a ``<lifecycle>``; a state may take over the flags of another one and change some of them."""
    elements = dict(children(element, "states/state", place))
    flags: dict[str, dict[str, Flag]] = {}
    for code in elements:
        _collect_flags(code, elements, flags, place, ())
    states = {code: _state(code, state, flags[code], place, elements) for code, state in elements.items()}
    stimuli = {code: stimulus.get(XSI_TYPE) or "" for code, stimulus in children(element, "stimuli/stimulus", place)}
    return LifeCycle(stimuli, states)


def _collect_flags(
    code: str,
    elements: Mapping[str, Element],
    flags: dict[str, dict[str, Flag]],
    place: Place,
    heirs: tuple[str, ...],
) -> dict[str, Flag]:
    if code in flags:
        return flags[code]
    place = place.within(f"state {code}")
    base = text_of(elements[code], "inherit_flags_from")
    inherited: dict[str, Flag] = {}
    if base:
        if base not in elements or base in {*heirs, code}:
            place.refuse(f"it inherits flags from '{base}', which is no other state of the class or inherits from it")
        if len(heirs) == DEEPEST:
            place.refuse(f"its flags are inherited from more than {DEEPEST} states, one from the other")
        inherited = _collect_flags(base, elements, flags, place, (*heirs, code))
    flags[code] = {attribute: flag & ~_ASKED_ONCE for attribute, flag in inherited.items()}
    flags[code] |= _read_flags(elements[code], place)
    return flags[code]


def _read_flags(element: Element, place: Place) -> dict[str, Flag]:
    flags: dict[str, Flag] = {}
    for code, attribute in children(element, "flags/attribute", place):
        value = Flag(0)
        for part in attribute:
            if part.tag not in _FLAGS:
                place.refuse(f"unknown flag <{part.tag}> of attribute '{code}'")
            value |= _FLAGS[part.tag]
        flags[code] = value
    return flags


def _state(code: str, element: Element, flags: Mapping[str, Flag], place: Place, known: Collection[str]) -> State:
    place = place.within(f"state {code}")
    targets: dict[str, str] = {}
    actions: dict[str, tuple[Action, ...]] = {}
    transition_flags: dict[str, Mapping[str, Flag]] = {}
    for stimulus, transition in children(element, "transitions/transition", place):
        targets[stimulus] = text_of(transition, "target")
        if targets[stimulus] not in known:
            place.refuse(f"transition {stimulus} leads to '{targets[stimulus]}', which is no state of the class")
        if done := tuple(_action(action, place) for action in transition.iterfind("actions/action")):
            actions[stimulus] = done
        if own := _read_flags(transition, place):
            transition_flags[stimulus] = own
    return State(code, flags, targets, actions, transition_flags)


def _action(element: Element, place: Place) -> Action:
    verb = text_of(element, "verb")
    if not verb:
        place.refuse("an action has no <verb>")
    parameters = tuple((p.get(XSI_TYPE) or "string", (p.text or "").strip()) for p in element.iterfind("params/param"))
    return Action(verb, parameters)


def _restricted(state: State, codes: Collection[str]) -> State:
    if all(code in codes for code in state.flags):
        return state
    flags = {code: flag for code, flag in state.flags.items() if code in codes}
    return State(state.code, flags, state.transitions, state.actions, state.transition_flags)
