"""Paraphrase or not, standing for MRPC: synthetic.

Two sentences that say the same in other words and another order ("The doctor bought the car in
March." / "In March the automobile was bought by the physician."), or that differ in one thing:
a word exchanged for another of its kind ("the lamp" for "the car"), or who did it to whom. Both
kinds of pairs change the same number of words and use the same forms, and every word is as
likely in each.

Held out of training: every third synonym set.
"""

from __future__ import annotations

from workflow_scripts.data.grammars.draw import Draw
from workflow_scripts.data.grammars.grammar import Grammar
from workflow_scripts.data.grammars.lists import NAMES, WHEN, WHERE, sentence

LABELS = ("different", "paraphrase")
COLUMNS = ("sentence1", "sentence2")
SYMMETRIC = True

# Synonym sets, "/" between the two words of a set.
PERSONS = """
doctor/physician lawyer/attorney teacher/instructor child/kid boss/manager chef/cook
thief/robber writer/author soldier/trooper man/guy woman/lady policeman/cop
sailor/seaman priest/pastor friend/buddy merchant/trader worker/laborer father/dad
singer/vocalist detective/investigator king/monarch scientist/researcher coach/trainer mother/mom
"""
THINGS = """
car/automobile house/home bicycle/bike aircraft/airplane motorcycle/motorbike phone/telephone
sofa/couch carpet/rug cupboard/cabinet film/movie picture/photograph statue/sculpture
coat/jacket jail/prison purse/handbag dress/gown shirt/blouse ship/vessel
stone/rock pistol/handgun shop/store hotel/inn cup/mug church/chapel
oven/stove boot/shoe road/street television/tv magazine/journal refrigerator/fridge
"""
# What is done to things and to persons; the participle of each is its past form.
DEEDS = """
bought/purchased fixed/repaired found/discovered cleaned/washed
destroyed/demolished transported/carried inspected/examined needed/required
loved/adored obtained/acquired painted/colored hated/detested
"""
ACTS = """
helped/assisted hit/struck hired/employed chased/pursued
frightened/scared rescued/saved warned/alerted injured/wounded
met/encountered trained/taught phoned/called questioned/interrogated
"""


def _sets(text: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Synonym sets of training, and those held out of it: every third one."""
    sets = [(one, other) for one, other in (pair.split("/") for pair in text.split())]
    return [s for i, s in enumerate(sets) if i % 3 < 2], sets[2::3]


KINDS = {"person": _sets(PERSONS), "thing": _sets(THINGS), "deed": _sets(DEEDS), "act": _sets(ACTS)}


def example(draw: Draw, label: int, fresh: bool) -> tuple[str, str]:
    """Two sentences; ``fresh``: what changes between them is held out of training."""
    persons = draw.chance(0.4)  # somebody does something to somebody, or to something
    slots = ("person", "act", "person") if persons else ("person", "deed", "thing")
    changed = draw.sample(range(3), 1 if draw.chance(0.8) else 2)
    differs = LABELS[label] == "different"
    swap = persons and differs and draw.chance(0.1)
    first: list[str] = []
    second: list[str] = []
    used: set[tuple[str, str]] = set()
    for slot, kind in enumerate(slots):
        sets = [s for s in KINDS[kind][fresh and slot in changed] if s not in used]
        one = draw.pick(sets)
        used.add(one)
        here = draw.below(2)
        first.append(one[here])
        if slot not in changed:
            second.append(one[here])
        elif differs and not swap and slot == changed[0]:
            other = draw.pick([s for s in sets if s != one])
            used.add(other)
            second.append(other[draw.below(2)])
        else:
            second.append(one[1 - here])
    if swap:
        second[0], second[2] = second[2], second[0]
    if 0 not in changed and not swap:
        first[0] = second[0] = draw.pick(NAMES)
    scene = draw.pick(draw.pick((WHERE, WHEN))) if draw.chance(0.4) else ""
    passive = draw.below(2)
    turned = draw.chance(0.35)
    return _say(draw, first, passive, scene), _say(draw, second, passive ^ turned, scene)


def _say(draw: Draw, words: list[str], passive: int, scene: str) -> str:
    who, did, whom = (w if w in NAMES or slot == 1 else "the " + w for slot, w in enumerate(words))
    return sentence(draw, scene, f"{whom} was {did} by {who}" if passive else f"{who} {did} {whom}")


GRAMMAR = Grammar(LABELS, COLUMNS, SYMMETRIC, example)
