"""Natural-language inference in three ways, standing for MNLI: synthetic.

A premise says something of somebody or something, and the hypothesis says it in other words
(entailment), says what cannot be true as well (contradiction), or says something else (neutral):

    By the lake the nurse was very tired.   The nurse was exhausted. / rested. / poor.
    On Monday Maria drew a poodle.          Maria sketched a dog. / a bird. / Maria lost a dog.

The words of the first kind come from scales, lists of words for the two ends of one quality or
of one kind of act; those of the second from classes and their members. Hypotheses have the same
distribution under every label, and so, but for a word standing for itself, have premises: only
the relation of the two sentences tells the label.

Held out of training: the scales and classes marked with ``*``, the last word of every scale end
that has three or more, and the last third of every class.
"""

from __future__ import annotations

from typing import NamedTuple

from workflow_scripts.data.grammars.classes import KNOWN, NEW, article, members
from workflow_scripts.data.grammars.draw import Draw
from workflow_scripts.data.grammars.grammar import Grammar
from workflow_scripts.data.grammars.lists import (
    EVENTS,
    NAMES,
    OUTSIDE,
    PERSONS,
    PLACES,
    THINGS,
    WHEN,
    WHERE,
    capital,
    sentence,
)

LABELS = ("contradiction", "entailment", "neutral")
COLUMNS = ("sentence1", "sentence2")
SYMMETRIC = False

# class of subjects or acts; then one scale a line: topic: one end | the other end.
# Scales of the same topic are never taken for unrelated ones.
SCALES = """
[person]
feeling: happy glad cheerful delighted | sad unhappy miserable
body: tired exhausted weary | rested energetic
body: sick ill | healthy fit well
money: rich wealthy affluent | poor broke
feeling: brave bold fearless courageous | afraid frightened scared
feeling: calm relaxed | nervous anxious worried
manners: polite respectful | rude disrespectful
mind: smart clever intelligent bright | stupid foolish dumb
body: asleep sleeping | awake alert
age: young youthful | old elderly aged
talk: loud noisy | silent quiet
work: busy occupied | idle unoccupied
fame: famous renowned popular | unknown obscure
time: late delayed | early punctual
strength: strong powerful muscular | weak feeble
weight: thin slim skinny | fat heavy
* honesty: honest sincere | dishonest lying
* beauty: beautiful pretty lovely | ugly hideous
* marriage: married wed | single unmarried

[thing]
price: cheap inexpensive affordable | expensive costly
size: big large huge enormous | small tiny little miniature
dirt: clean spotless | dirty filthy stained
water: wet damp soaked | dry dried
age: new modern | old ancient antique
state: broken damaged ruined | intact whole
content: full filled packed | empty vacant
heat: hot warm | cold cool icy
place: visible noticeable | hidden concealed invisible
worth: useful helpful handy | useless worthless
lock: open unlocked | closed shut locked
truth: real genuine authentic | fake false
* number: rare unusual uncommon | common ordinary
* surface: smooth even | rough coarse
softness: hard solid firm | soft tender

[place]
sound: noisy loud | quiet silent
people: crowded busy packed | empty deserted vacant
light: bright sunny | dark dim
dirt: clean tidy | dirty filthy
size: big large huge vast | small tiny little
risk: safe secure | dangerous risky hazardous
heat: hot warm | cold chilly freezing
distance: near close nearby | far distant remote
price: cheap inexpensive | expensive costly
beauty: beautiful pretty lovely | ugly hideous
* fame: famous popular | unknown obscure
* width: wide broad | narrow tight

[event]
interest: boring dull | interesting exciting fascinating
length: long lengthy endless | short brief
mood: funny amusing hilarious | serious solemn
ease: easy simple | hard difficult
quality: good great excellent | bad awful terrible
secret: public open | private secret
sound: loud noisy | quiet silent
* fame: famous popular | unknown obscure
* age: new recent | old ancient

[does to thing]
trade: bought purchased acquired | sold auctioned
find: found discovered located | lost misplaced
lock: opened unlocked | closed shut locked
height: raised lifted | lowered dropped
dirt: cleaned washed scrubbed | stained smeared
state: repaired fixed mended | broke damaged smashed
liking: liked loved adored | disliked hated
* sight: hid concealed | showed displayed exhibited
force: pushed shoved | pulled dragged
* heat: heated warmed | cooled chilled
offer: accepted received | refused rejected declined

[does to person]
words: praised complimented | criticized blamed insulted
work: hired employed recruited | fired dismissed sacked
liking: loved adored liked | hated despised
help: helped assisted aided | opposed resisted
fight: attacked assaulted | defended protected guarded
law: caught captured arrested | released freed
health: healed cured | hurt injured wounded
trust: trusted believed | doubted suspected
* prize: rewarded honored | punished penalized
* heart: calmed relaxed | upset disturbed
visit: welcomed greeted | ignored avoided
"""

HOW = ("very", "quite", "rather", "really", "fairly", "so", "clearly", "still")
SUBJECTS = {"person": PERSONS, "thing": THINGS, "place": PLACES, "event": EVENTS}
# Where a subject may be: a building is not in a corner, and an event only has a time.
SCENES = {
    "person": (WHERE, WHEN),
    "thing": (WHERE, WHEN),
    "place": (OUTSIDE, WHEN),
    "event": (WHEN,),
}
# Share of persons that go by a name.
NAMED = 0.6


# Share of examples about members of a class; the others are about scales.
OF_CLASS = 0.75
# Acts that say nothing of each other, two words for each.
ACTS = """
bought/purchased lost/misplaced drew/sketched remembered/recalled photographed/filmed
examined/inspected selected/chose expected/awaited touched/felt needed/required received/got
liked/enjoyed mentioned/named described/portrayed
"""


class Scale(NamedTuple):
    """Words for the two ends of one quality; ``held_out`` if training has none of them."""

    topic: str
    ends: tuple[tuple[str, ...], tuple[str, ...]]
    held_out: bool

    def words(self, end: int, fresh: bool) -> tuple[str, ...]:
        """Words of one end: those of training, or those held out of it (all, where none is)."""
        words = self.ends[end]
        if self.held_out or len(words) < 3:
            return words
        return words[-1:] if fresh else words[:-1]


def _scales() -> dict[str, list[Scale]]:
    kinds: dict[str, list[Scale]] = {}
    for line in filter(None, map(str.strip, SCALES.splitlines())):
        if line.startswith("["):
            kinds[line.strip("[]")] = here = []
            continue
        topic, _, words = line.removeprefix("*").partition(":")
        one, other = (tuple(end.split()) for end in words.split("|"))
        here.append(Scale(topic.strip(), (one, other), line.startswith("*")))
    return kinds


KINDS = _scales()
ACT_PAIRS = [tuple(pair.split("/")) for pair in ACTS.split()]
# the share of each kind among examples, about its number of scales
WEIGHTED = [kind for kind, scales in KINDS.items() for _ in scales]


def example(draw: Draw, label: int, fresh: bool) -> tuple[str, str]:
    """Premise and hypothesis of one example; ``fresh``: on words held out of training.

    The hypothesis is drawn before the label is looked at, so that it cannot tell the label.
    """
    return (_of_class if draw.chance(OF_CLASS) else _of_scale)(draw, LABELS[label], fresh)


def _of_class(draw: Draw, label: str, fresh: bool) -> tuple[str, str]:
    """A member of the class or of another, the same act or another."""
    whole = fresh and draw.chance(0.3)  # whole classes are new, or only their members
    then, other = draw.sample(list(NEW if whole else KNOWN), 2)
    act, another = draw.sample(ACT_PAIRS, 2)
    word = draw.below(2)
    said_of, said = then, act[draw.below(2)]
    if label == "contradiction" or (label == "neutral" and draw.chance(0.5)):
        said_of = other
    if label == "neutral":
        said = another[draw.below(2)]
    who, scene = _person(draw), draw.pick(draw.pick((WHERE, WHEN)))
    thing = draw.pick(members(said_of, fresh and not whole))
    premise = sentence(draw, scene, f"{who} {said} {article(thing)}")
    return premise, capital(f"{who} {act[word]} {article(then)}.")


def _of_scale(draw: Draw, label: str, fresh: bool) -> tuple[str, str]:
    """A word of one scale in the premise, a word of the same scale or another after it."""
    kind = draw.pick(WEIGHTED)
    whole = fresh and draw.chance(0.3)  # a whole scale is new, or only the hypothesis' word
    new = fresh and not whole
    scales = [scale for scale in KINDS[kind] if scale.held_out == whole]
    scale, end = draw.pick(
        [(scale, end) for scale in scales for end in (0, 1) if not new or len(scale.ends[end]) > 2]
    )
    then = draw.pick(scale.words(end, new))
    said_of, said_end = scale, end if label == "entailment" else 1 - end
    if label == "neutral":
        said_of = draw.pick([s for s in scales if s.topic != scale.topic])
        said_end = draw.below(2)
    said = draw.pick([word for word in said_of.words(said_end, False) if word != then])
    return _sentences(draw, kind, said, then)


def _sentences(draw: Draw, kind: str, said: str, then: str) -> tuple[str, str]:
    scene = draw.pick(draw.pick(SCENES.get(kind, (WHERE, WHEN))))
    if kind.startswith("does to"):
        who = _person(draw)
        what = "the " + draw.pick(THINGS) if kind == "does to thing" else _person(draw)
        return sentence(draw, scene, f"{who} {said} {what}"), capital(f"{who} {then} {what}.")
    subject = _person(draw) if kind == "person" else "the " + draw.pick(SUBJECTS[kind])
    how = draw.pick(HOW) + " " if draw.chance(0.4) else ""
    return sentence(draw, scene, f"{subject} was {how}{said}"), capital(f"{subject} was {then}.")


def _person(draw: Draw) -> str:
    return draw.pick(NAMES) if draw.chance(NAMED) else "the " + draw.pick(PERSONS)


GRAMMAR = Grammar(LABELS, COLUMNS, SYMMETRIC, example)
