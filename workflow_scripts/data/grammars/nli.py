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

from workflow_scripts.data.grammars.draw import Draw, words

LABELS = ("contradiction", "entailment", "neutral")
COLUMNS = ("sentence1", "sentence2")
SYMMETRIC = False

# class of subjects or acts; then one scale a line: topic: one end | the other end.
# Scales of the same topic are never taken for unrelated ones.
SCALES = """
[person]
feeling: happy glad cheerful delighted | sad unhappy miserable gloomy
body: tired exhausted weary | rested energetic
body: sick ill unwell | healthy fit well
money: rich wealthy affluent | poor penniless broke
courage: brave bold fearless courageous | cowardly timid
feeling: calm relaxed | nervous anxious worried
manners: polite courteous respectful | rude impolite
mind: smart clever intelligent bright | stupid foolish dumb
body: asleep sleeping | awake alert
age: young youthful | old elderly aged
talk: talkative chatty | silent quiet
work: busy occupied | idle free
fame: famous renowned celebrated | unknown obscure
time: late delayed | early punctual
guilt: guilty | innocent
* strength: strong powerful muscular | weak feeble frail
* weight: thin slim skinny | fat overweight
* honesty: honest truthful sincere | dishonest lying
* drink: drunk intoxicated | sober
* beauty: beautiful pretty lovely | ugly hideous
* marriage: married wed | single unmarried

[thing]
price: cheap inexpensive affordable | expensive costly pricey
size: big large huge enormous | small tiny little miniature
dirt: clean spotless | dirty filthy stained
water: wet damp soaked | dry
age: new modern | old ancient antique
weight: heavy weighty | light weightless
state: broken damaged ruined | intact undamaged
content: full filled packed | empty vacant
heat: hot warm | cold cool icy
place: visible noticeable | hidden concealed invisible
worth: useful helpful handy | useless worthless
* lock: open unlocked | closed shut locked
* truth: real genuine authentic | fake false
* number: rare unusual uncommon | common ordinary
* shape: straight | bent crooked curved
* surface: smooth even | rough bumpy
* softness: hard solid firm | soft

[place]
sound: noisy loud | quiet silent
people: crowded busy packed | empty deserted vacant
light: bright sunny | dark dim gloomy
dirt: clean spotless | dirty filthy
size: big large huge vast | small tiny little
risk: safe secure | dangerous risky hazardous
heat: hot warm | cold chilly freezing
distance: near close nearby | far distant remote
* price: cheap inexpensive | expensive costly
* beauty: beautiful pretty lovely | ugly hideous
* fame: famous renowned | unknown obscure
* width: wide broad | narrow

[event]
interest: boring dull tedious | interesting exciting fascinating
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
find: found discovered located | lost misplaced
lock: opened unlocked | closed shut locked
height: raised lifted | lowered dropped
fill: filled loaded packed | emptied unloaded
dirt: cleaned washed scrubbed | soiled stained
state: repaired fixed mended | broke damaged smashed
liking: liked loved adored | disliked hated detested
memory: remembered recalled | forgot
* sight: hid concealed | showed displayed exhibited
* force: pushed shoved | pulled dragged
* heat: heated warmed | cooled chilled
* offer: accepted received | refused rejected declined

[does to person]
words: praised applauded complimented | criticized blamed insulted
work: hired employed recruited | fired dismissed sacked
liking: loved adored liked | hated despised
help: helped assisted aided | hindered obstructed
fight: attacked assaulted | defended protected guarded
memory: remembered recalled | forgot
law: caught captured arrested | released freed
health: healed cured | hurt injured wounded
* trust: trusted believed | doubted distrusted
* prize: rewarded | punished penalized
* heart: comforted consoled soothed | upset disturbed
* visit: welcomed greeted | ignored avoided
"""

PERSONS = words(
    "nurse doctor lawyer teacher farmer baker singer painter soldier sailor pilot driver waiter "
    "clerk butcher tailor carpenter plumber judge priest monk banker writer poet actor dancer "
    "drummer guitarist student professor scientist engineer chemist hunter fisherman guard miner "
    "shepherd gardener librarian reporter editor photographer musician king queen prince princess "
    "boy girl woman man widow uncle aunt cousin neighbor tourist traveler stranger prisoner"
)
THINGS = words(
    "box bag bottle basket bucket barrel crate jar chest cup bowl pot kettle pan lamp clock chair "
    "table bench bed carpet curtain blanket pillow coat hat boot shirt glove belt knife fork "
    "spoon hammer saw shovel rope ladder wheel bicycle wagon boat tent drum guitar piano camera "
    "radio telephone book map mirror statue vase ring necklace coin toy doll kite umbrella"
)
PLACES = words(
    "room kitchen hall cellar cabin tunnel shop church hotel garage school office museum library "
    "theater street market harbor station garden park beach village castle farm factory hospital "
    "bakery restaurant stadium"
)
EVENTS = words(
    "film story lecture speech meeting game exam song concert play lesson party ceremony wedding "
    "festival debate trial race interview show dance sermon"
)
WHERE = words(
    "near the river|in the corner|by the window|behind the house|under the bridge|next door|"
    "across the road|from the village|in the garden|at the market|by the lake|in the city|"
    "on the island|outside the gate|beside the fountain|near the border|at the airport|"
    "on the hill|in the valley|at the harbor|in the north|by the sea|near the forest"
)
WHEN = words(
    "last week|on Monday|on Friday|yesterday|this morning|last night|in March|in August|at noon|"
    "after lunch|before dinner|at midnight|in winter|in summer|last year|two days ago|on Sunday|"
    "after the storm|before sunrise|in autumn|at Christmas|during the strike"
)
HOW = ("very", "quite", "rather", "really", "fairly", "so", "too", "pretty")
SUBJECTS = {"person": PERSONS, "thing": THINGS, "place": PLACES, "event": EVENTS}


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
    where, when = draw.pick(WHERE), draw.pick(WHEN)
    if kind.startswith("does to"):
        who = draw.pick(PERSONS)
        what = draw.pick(THINGS if kind == "does to thing" else [p for p in PERSONS if p != who])
        premise = f"{when} the {who} {said} the {what}."
        if draw.chance(0.5):
            premise = f"the {who} {where} {said} the {what}."
        return _capital(premise), f"The {who} {then} the {what}."
    subject = draw.pick(SUBJECTS[kind])
    how = draw.pick(HOW) + " " if draw.chance(0.4) else ""
    premise = f"the {subject} {where} was {how}{said}."
    if draw.chance(0.4):
        premise = f"{when} the {subject} was {how}{said}."
    return _capital(premise), f"The {subject} was {then}."


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]
