"""Classes of things and their members.

Held out of training: the classes marked with ``*``, and the last third of every class.
"""

from workflow_scripts.data.grammars.draw import words

# class: members. A member of one class is no member of another.
CLASSES = """
dog: poodle terrier spaniel bulldog hound retriever
bird: sparrow robin eagle pigeon crow owl parrot swan hawk
fish: salmon trout shark tuna cod carp
insect: bee ant beetle butterfly mosquito moth
fruit: apple banana peach pear cherry lemon mango
vegetable: carrot onion potato cabbage turnip spinach
drink: beer wine coffee juice whiskey vodka
tool: hammer saw shovel drill wrench chisel
vehicle: truck bus taxi van car motorcycle
instrument: guitar piano violin flute trumpet drum harp
jewel: diamond ruby emerald pearl sapphire
garment: shirt coat skirt jacket sweater dress
flower: rose lily tulip daisy orchid
tree: oak pine maple birch willow cedar
weapon: sword pistol rifle dagger spear
* building: house church castle cottage barn temple
* boat: canoe yacht ferry sailboat raft
* reptile: snake lizard turtle crocodile
* metal: iron copper silver gold steel
* seat: chair bench sofa stool throne
"""
UNCOUNTED = set(words("spinach beer wine coffee juice whiskey vodka iron copper silver gold steel"))
UNCOUNTED |= {"metal"}


def _classes() -> dict[bool, dict[str, tuple[str, ...]]]:
    found: dict[bool, dict[str, tuple[str, ...]]] = {False: {}, True: {}}
    for line in filter(None, map(str.strip, CLASSES.splitlines())):
        name, _, members = line.removeprefix("*").partition(":")
        found[line.startswith("*")][name.strip()] = tuple(members.split())
    return found


KNOWN, NEW = _classes()[False], _classes()[True]


def members(name: str, fresh: bool) -> tuple[str, ...]:
    """Members of a class: those of training, or those held out of it."""
    if name in NEW:
        return NEW[name]
    every = KNOWN[name]
    cut = len(every) - len(every) // 3
    return every[cut:] if fresh else every[:cut]


def article(noun: str, look: str = "") -> str:
    """``an old apple``, ``a poodle``, ``some wine``."""
    phrase = look + noun
    if noun in UNCOUNTED:
        return "some " + phrase
    return ("an " if phrase[0] in "aeiou" else "a ") + phrase
