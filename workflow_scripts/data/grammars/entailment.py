"""Textual entailment in two ways, standing for RTE: synthetic.

"By the river Maria photographed a poodle." entails "Maria photographed a dog.", and
neither "Maria photographed a bird." nor, the other way round, "a dog" entails "a poodle". A
class and its members stand in premises and hypotheses of both labels in the same shares, so that
only the relation of the two sentences tells the label.

Held out of training: the classes marked with ``*``, and the last third of every class.
"""

from __future__ import annotations

from workflow_scripts.data.grammars.classes import KNOWN, NEW, article, members
from workflow_scripts.data.grammars.draw import Draw, words
from workflow_scripts.data.grammars.grammar import Grammar
from workflow_scripts.data.grammars.lists import NAMES, WHEN, WHERE, sentence

LABELS = ("entailment", "not_entailment")
COLUMNS = ("sentence1", "sentence2")
SYMMETRIC = False

VERBS = words(
    "saw noticed found wanted mentioned drew described remembered photographed lost bought sold "
    "painted touched admired needed chose sketched spotted imagined watched recognized discovered "
    "expected preferred ignored examined studied approached recalled pictured inspected avoided "
    "selected acquired loved liked recommended displayed presented"
)
LOOKS = words(
    "beautiful cheap strange lovely excellent good special fine nice rare real perfect great "
    "unusual modern typical certain different particular second common simple local foreign"
)

# (premise, hypothesis) as class word "c", member "m", another class "C" or member "M" (of any
# class); the shares give "c" and "m" the same frequency under both labels, in both places.
PATTERNS = {
    "entailment": {"mc": 70, "mm": 15, "cc": 15},
    "not_entailment": {"mC": 80, "mM": 5, "cm": 10, "cC": 5},
}


def example(draw: Draw, label: int, fresh: bool) -> tuple[str, str]:
    """Premise and hypothesis of one example; ``fresh``: on words held out of training."""
    shares = PATTERNS[LABELS[label]]
    pattern = draw.pick([name for name, share in shares.items() for _ in range(share)])
    whole = fresh and draw.chance(0.5)
    classes = list(NEW if whole else KNOWN)
    one, other = draw.sample(classes, 2)
    new = fresh and not whole
    said = one if pattern[0] == "c" else draw.pick(members(one, new))
    if pattern[1] == "m":
        then = said if pattern[0] == "m" else draw.pick(members(one, new))
    else:
        then = {"c": one, "C": other}.get(pattern[1]) or draw.pick(
            [m for m in members(one, new) + members(other, new) if m != said]
        )
    who, verb = draw.pick(NAMES), draw.pick(VERBS)
    look = draw.pick(LOOKS) + " " if draw.chance(0.4) else ""
    premise = sentence(
        draw, draw.pick(draw.pick((WHERE, WHEN))), f"{who} {verb} {article(said, look)}"
    )
    return premise, f"{who} {verb} {article(then)}."


GRAMMAR = Grammar(LABELS, COLUMNS, SYMMETRIC, example)
