"""Words and their classes, standing for a tagged corpus: synthetic.

"The old guard will watch her boat near the river ." Each word has the class that its place in the
sentence gives it, by the names of Universal Dependencies. Many words have two classes: "guard" and
"watch" are nouns and verbs, "open" and "dry" adjectives and verbs, "fast" and "hard" adjectives and
adverbs, "her" and "that" determiners and pronouns, "inside" and "near" adpositions and adverbs.

Held out of training: the last third of every list of nouns, verbs, adjectives and adverbs, those
with two classes among them.
"""

from __future__ import annotations

from workflow_scripts.data.grammars.draw import Draw, words
from workflow_scripts.data.grammars.lists import NAMES, PERSONS, PLACES, THINGS

Tagged = tuple[tuple[str, str], ...]  # words with their classes

# Both a noun and the base form of a verb.
NOUN_OR_VERB = words(
    "guard watch paint book brush hammer mask ring plant judge cook ship land wash lock store "
    "display study report photograph cover answer mark repair search test signal visit "
    "record change damage copy trade lift film rescue"
)
# Both an adjective and the base form of a verb.
ADJECTIVE_OR_VERB = words("open clean dry warm cool empty clear calm narrow smooth free secure")
# Both an adjective and an adverb.
ADJECTIVE_OR_ADVERB = words("fast hard early late straight high low deep")
VERBS = words(
    "buy sell find lose bring keep admire notice describe mention choose inspect remember follow "
    "expect prefer ignore discover recognize avoid own accept refuse destroy deliver borrow"
)
ADJECTIVES = words(
    "old young happy sad rich poor brave polite clever famous strange lovely modern cheap large "
    "small heavy broken noisy quiet bright dark wooden green blue red dirty useful rare"
)
ADVERBS = words(
    "often never always quickly slowly quietly gladly rarely soon again carefully suddenly "
    "secretly finally usually"
)
DETERMINERS = words("the a this that every some her his their no")
PRONOUNS = words("she he they it we her this that everyone nobody")
OBJECTS = words("her him them it us this that everything nothing")
AUXILIARIES = words("will can must may should could would might")
ADPOSITIONS = words("in near behind under with from inside outside before after beside without")
PLACED_ADVERBS = words("inside outside near before after")
NUMBERS = words("two three four five six seven eight nine ten twelve twenty")
CONJUNCTIONS = words("and but or")


def _half(items: tuple[str, ...], fresh: bool) -> tuple[str, ...]:
    """Words of training, or the last third, held out of it."""
    cut = len(items) - len(items) // 3
    return items[cut:] if fresh else items[:cut]


def _plural(noun: str) -> str:
    if noun.endswith(("s", "x", "sh", "ch")):
        return f"{noun}es"
    return f"{noun[:-1]}ies" if noun[-1] == "y" and noun[-2] not in "aeiou" else f"{noun}s"


def example(draw: Draw, fresh: bool) -> Tagged:
    """A sentence; ``fresh``: each open word has a chance of one half of being held out."""

    def pick(*lists: tuple[str, ...]) -> str:
        return draw.pick(_half(draw.pick(lists), fresh and draw.chance(0.5)))

    def adjective() -> tuple[str, str]:
        return pick(ADJECTIVES, ADJECTIVE_OR_VERB, ADJECTIVE_OR_ADVERB), "ADJ"

    def phrase(pronouns: tuple[str, ...]) -> list[tuple[str, str]]:
        """A noun phrase."""
        kind = draw.below(8)
        if kind == 0:
            return [(draw.pick(pronouns), "PRON")]
        if kind <= 2:
            return [(draw.pick(NAMES), "PROPN")]
        if kind == 3:
            noun = pick(PERSONS, THINGS, NOUN_OR_VERB)
            return [(draw.pick(NUMBERS), "NUM"), (_plural(noun), "NOUN")]
        described = [adjective()] if draw.chance(0.5) else []
        noun = pick(PERSONS, THINGS, PLACES, NOUN_OR_VERB), "NOUN"
        return [(draw.pick(DETERMINERS), "DET"), *described, noun]

    def clause() -> list[tuple[str, str]]:
        said = phrase(PRONOUNS)
        said.append((draw.pick(AUXILIARIES), "AUX"))
        if draw.chance(0.15):
            return [*said, ("be", "AUX"), adjective()]
        if draw.chance(0.4):
            said.append((pick(ADVERBS), "ADV"))
        said.append((pick(VERBS, NOUN_OR_VERB, ADJECTIVE_OR_VERB), "VERB"))
        said += phrase(OBJECTS)
        if draw.chance(0.5):
            return [*said, (draw.pick(ADPOSITIONS), "ADP"), *phrase(OBJECTS)]
        if draw.chance(0.6):
            said.append((draw.pick((PLACED_ADVERBS, ADJECTIVE_OR_ADVERB)[draw.below(2)]), "ADV"))
        return said

    tagged = clause()
    if draw.chance(0.25):
        tagged += [(draw.pick(CONJUNCTIONS), "CCONJ"), *clause()]
    tagged.append((draw.pick((".", "!", ";")), "PUNCT"))
    first, tag = tagged[0]
    return (first[0].upper() + first[1:], tag), *tagged[1:]
