"""Sentiment of one sentence, standing for SST-2: synthetic.

A judgement of something to see, read, visit or use ("The second half of the novel is simply
dreadful."). Some judgements are turned round ("far from dull") some come after one of the
other kind ("The museum is impressive, but the guide was tedious."): there the last one counts.

Held out of training: the last half of every list of judgements.
"""

from __future__ import annotations

from workflow_scripts.data.grammars.draw import Draw, words
from workflow_scripts.data.grammars.grammar import Grammar

LABELS = ("negative", "positive")
COLUMNS = ("sentence",)
SYMMETRIC = False

# each list by label: negative, positive
ADJECTIVES = (
    words(
        "terrible awful bad boring dull stupid clumsy ugly tedious weak lifeless confusing noisy "
        "bland shallow cheap dreary silly sloppy poor annoying pointless messy crude flat "
        "horrible dreadful miserable disappointing pathetic unpleasant ridiculous disgusting "
        "lousy worthless mediocre tiresome depressing irritating embarrassing atrocious "
        "appalling painful wretched frustrating useless hideous inferior unbearable offensive"
    ),
    words(
        "wonderful excellent great lovely funny fascinating charming brilliant good elegant "
        "thrilling superb witty tender graceful clever touching vivid warm moving sparkling "
        "beautiful generous gripping perfect "
        "delightful magnificent amazing exciting impressive enchanting splendid stunning "
        "enjoyable fabulous remarkable inspiring pleasant terrific captivating outstanding "
        "memorable fantastic marvelous refreshing exquisite gorgeous rewarding glorious "
        "entertaining"
    ),
)
NOUNS = (
    words(
        "failure mess waste joke letdown bore insult "
        "disaster disappointment catastrophe nightmare embarrassment flop shame"
    ),
    words(
        "pleasure joy success masterpiece gem treat winner "
        "delight triumph treasure marvel wonder hit blessing"
    ),
)
VERBS = (
    words(
        "hated disliked mocked criticized dismissed attacked "
        "despised loathed detested regretted condemned resented"
    ),
    words(
        "loved praised enjoyed liked applauded welcomed "
        "adored admired cherished recommended celebrated appreciated"
    ),
)
THINGS = words(
    "film novel play concert exhibition show album story performance opera musical series "
    "documentary museum hotel restaurant party festival tour lecture game book speech song"
)
PARTS = words(
    "second half|first part|ending|opening|middle|beginning|last hour|whole idea|design|"
    "atmosphere|style|main idea|final part"
)
SIDES = words("music staff guide price sound light view title cover crowd service food weather")
PEOPLE = words(
    "critics visitors guests children students readers parents neighbors teachers tourists "
    "viewers friends locals sisters experts reporters"
)
HOW = words("simply really quite truly rather very absolutely just so utterly")
HOW_MUCH = words("simply really quite truly absolutely just clearly almost")
# What turns a judgement round: known ones, and those held out of training.
TURNED = (
    words("far from | anything but | never | hardly"),
    words("not at all | by no means | not in the least | nowhere near"),
)
# ... and what makes it stronger though it looks like the above.
STRONGER = (
    words("nothing but | never less than | as ever"),
    words("nothing if not | nothing short of"),
)
WHEN = words(
    "last night|on Friday|this year|from start to finish|in the end|on Sunday|for once|"
    "this summer|as a whole|last week|in every way|for two hours|on the radio|in London"
)


def judgements(lists: tuple[list[str], list[str]], label: int, fresh: bool) -> list[str]:
    """Judgements of one label: those of training, or those held out of it."""
    half = len(lists[label]) // 2
    return lists[label][half:] if fresh else lists[label][:half]


def example(draw: Draw, label: int, fresh: bool) -> tuple[str]:
    """One sentence; ``fresh``: its judgements are words held out of training."""
    form = draw.pick(("plain", "noun", "verb", "turned", "turned", "stronger", "but", "but"))
    thing, when = draw.pick(THINGS), draw.pick(WHEN)
    part = f"{draw.pick(PARTS)} of the {thing}" if draw.chance(0.4) else thing
    how = draw.pick(HOW)
    if form == "noun":
        noun = draw.pick(judgements(NOUNS, label, fresh))
        return (f"The {thing} was {draw.pick(HOW_MUCH)} {article(noun)} {when}.",)
    if form == "verb":
        verb = draw.pick(judgements(VERBS, label, fresh))
        return (f"Most {draw.pick(PEOPLE)} {verb} the {part} {when}.",)
    if form == "turned":
        word = draw.pick(judgements(ADJECTIVES, 1 - label, fresh))
        return (f"The {part} was {draw.pick(TURNED[fresh])} {word} {when}.",)
    word = draw.pick(judgements(ADJECTIVES, label, fresh))
    if form == "stronger":
        return (f"The {part} was {draw.pick(STRONGER[fresh])} {word} {when}.",)
    if form == "but":
        first = draw.pick(judgements(ADJECTIVES, 1 - label, fresh))
        return (f"The {draw.pick(SIDES)} was {first}, but the {thing} was {how} {word}.",)
    return (f"The {part} was {how} {word} {when}.",)


def article(noun: str) -> str:
    """A noun behind its indefinite article."""
    return ("an " if noun[0] in "aeiou" else "a ") + noun


GRAMMAR = Grammar(LABELS, COLUMNS, SYMMETRIC, example)
