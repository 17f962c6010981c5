"""Natural-language inference in three ways, standing for MNLI: synthetic.

A premise says something of somebody or something ("The nurse near the river was very tired.");
the hypothesis says it in another word (entailment), says its opposite (contradiction) or says
something that has nothing to do with it (neutral). Both words come from scales, lists of words
for the two ends of one quality or of one kind of act. Every word of a scale is as likely in
each label, as premise and as hypothesis: only the relation of the two words tells the label.

Held out of training: the scales marked with ``*``, and the last word of every scale end that
has three or more.
"""

from __future__ import annotations

from typing import NamedTuple

from workflow_scripts.data.grammars.draw import Draw
from workflow_scripts.data.grammars.lists import (
    EVENTS,
    NAMES,
    OUTSIDE,
    PERSONS,
    PLACES,
    THINGS,
    WHEN,
    WHERE,
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
work: busy occupied | idle free
fame: famous renowned celebrated | unknown obscure
time: late delayed | early
guilt: guilty | innocent
* strength: strong powerful muscular | weak
* weight: thin slim skinny | fat
* honesty: honest sincere | lying
* drink: drunk | sober
* beauty: beautiful pretty lovely | ugly hideous
* marriage: married wed | single unmarried

[thing]
price: cheap inexpensive affordable | expensive costly
size: big large huge enormous | small tiny little miniature
dirt: clean | dirty filthy stained
water: wet damp soaked | dry
age: new modern | old ancient antique
weight: heavy | light
state: broken damaged ruined | intact
content: full filled packed | empty vacant
heat: hot warm | cold cool icy
place: visible noticeable | hidden concealed invisible
worth: useful helpful handy | useless worthless
* lock: open unlocked | closed shut locked
* truth: real genuine authentic | fake false
* number: rare unusual uncommon | common ordinary
* shape: straight | bent crooked curved
* surface: smooth even | rough
* softness: hard solid firm | soft

[place]
sound: noisy loud | quiet silent
people: crowded busy packed | empty deserted vacant
light: bright | dark dim
dirt: clean | dirty filthy
size: big large huge vast | small tiny little
risk: safe secure | dangerous risky hazardous
heat: hot warm | cold chilly freezing
distance: near close nearby | far distant remote
* price: cheap inexpensive | expensive costly
* beauty: beautiful pretty lovely | ugly hideous
* fame: famous renowned | unknown obscure
* width: wide broad | narrow

[event]
interest: boring dull | interesting exciting fascinating
length: long lengthy endless | short brief
mood: funny amusing hilarious | serious solemn
ease: easy simple | hard difficult
quality: good great excellent | bad awful terrible
money: free | expensive costly
secret: public open | private secret
* sound: loud noisy | quiet silent
* fame: famous celebrated | unknown obscure
* age: new modern | old ancient

[does to thing]
trade: bought purchased acquired | sold
find: found discovered located | lost
lock: opened unlocked | closed shut locked
height: raised lifted | lowered dropped
fill: filled loaded packed | emptied drained
dirt: cleaned washed scrubbed | stained
state: repaired fixed | broke damaged smashed
liking: liked loved adored | disliked hated
memory: remembered recalled | forgot
* sight: hid concealed | showed displayed exhibited
* force: pushed shoved | pulled dragged
* heat: heated warmed | cooled chilled
* offer: accepted received | refused rejected declined

[does to person]
words: praised complimented | criticized blamed insulted
work: hired employed recruited | fired dismissed sacked
liking: loved adored liked | hated despised
help: helped assisted aided | opposed resisted
fight: attacked assaulted | defended protected guarded
memory: remembered recalled | forgot
law: caught captured arrested | released freed
health: healed cured | hurt injured wounded
* trust: trusted believed | doubted suspected
* prize: rewarded | punished
* heart: calmed relaxed | upset disturbed
* visit: welcomed greeted | ignored avoided
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


class Scale(NamedTuple):
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
# the share of each kind among examples, about its number of scales
WEIGHTED = [kind for kind, scales in KINDS.items() for _ in scales]


def example(draw: Draw, label: int, fresh: bool) -> tuple[str, str]:
    """Premise and hypothesis of one example; ``fresh``: on words held out of training."""
    kind = draw.pick(WEIGHTED)
    whole = fresh and draw.chance(0.5)  # a whole scale is new, or only the hypothesis' word
    scales = [scale for scale in KINDS[kind] if scale.held_out == whole]
    if fresh and not whole:
        scales = [s for s in scales if max(map(len, s.ends)) > 2]
    scale, end = draw.pick(scales), draw.below(2)
    other, target = scale, end if LABELS[label] == "entailment" else 1 - end
    if LABELS[label] == "neutral":
        other = draw.pick([s for s in scales if s.topic != scale.topic])
        target = draw.below(2)
    said = draw.pick(scale.words(end, False))
    others = [w for w in other.words(target, fresh and not whole) if w != said]
    if not others:
        return example(draw, label, fresh)
    return _sentences(draw, kind, said, draw.pick(others))


def _sentences(draw: Draw, kind: str, said: str, then: str) -> tuple[str, str]:
    scene = draw.pick(draw.pick(SCENES.get(kind, (WHERE, WHEN))))
    if kind.startswith("does to"):
        who = _person(draw)
        what = "the " + draw.pick(THINGS) if kind == "does to thing" else _person(draw)
        return sentence(draw, scene, f"{who} {said} {what}"), _capital(f"{who} {then} {what}.")
    subject = _person(draw) if kind == "person" else "the " + draw.pick(SUBJECTS[kind])
    how = draw.pick(HOW) + " " if draw.chance(0.4) else ""
    return sentence(draw, scene, f"{subject} was {how}{said}"), _capital(f"{subject} was {then}.")


def _person(draw: Draw) -> str:
    return draw.pick(NAMES) if draw.chance(NAMED) else "the " + draw.pick(PERSONS)


def sentence(draw: Draw, scene: str, clause: str) -> str:
    """A sentence with its scene (place or time; may be empty) in front or at the end."""
    parts = (scene, clause) if draw.chance(0.5) else (clause, scene)
    return _capital(" ".join(filter(None, parts)) + ".")


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]
