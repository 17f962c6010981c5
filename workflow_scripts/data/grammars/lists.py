"""Word lists that several grammars share."""

from workflow_scripts.data.grammars.draw import Draw, words

# Many, so that a sentence is easy to tell from others by words that say nothing of its label.
NAMES = words(
    """
    Adam Alan Albert Alex Alice Amanda Amy Andrea Andrew Angela Anita Anna Anne Anthony Antonio
    Arthur Barbara Beatrice Ben Benjamin Bernard Beth Betty Boris Brandon Brenda Brian Bruce
    Caleb Carl Carla Carlos Carol Caroline Catherine Cecilia Charles Charlotte Chloe Chris
    Christina Christine Christopher Claire Clara Claudia Colin Connor Cynthia Dan Daniel David
    Deborah Dennis Derek Diana Dmitri Donald Donna Dora Doris Dorothy Edgar Edith Edward Edwin
    Elena Eli Elizabeth Ella Ellen Emily Emma Eric Erin Ethan Eugene Eva Evelyn Felix Fiona
    Frances Francis Frank Fred Gary George Gerald Gilbert Gloria Greg Hannah Harold Harry
    Heather Hector Helen Henry Herbert Howard Hugh Hugo Ian Ida Irene Isaac Isabel Ivan Jack
    Jacob Jake James Jane Janet Jason Jennifer Jenny Jerry Jessica Jim Joan Joe Joel John
    Jonathan Joseph Josh Joyce Juan Judith Julia Julian Julie Karen Karl Kate Katherine Keith
    Kelly Kenneth Kevin Kim Kyle Larry Laura Lauren Laurence Leo Leon Leonard Leslie Liam Linda
    Lisa Louis Louise Lucas Lucy Luis Luke Lydia Lynn Marco Marcus Margaret Maria Marie Mario
    Marion Martha Martin Mary Matt Matthew Maurice Megan Melissa Michael Michelle Miguel Mike
    Molly Monica Nancy Natalie Nathan Neil Nicholas Nick Nicole Nina Noah Nora Norman Oliver
    Olivia Oscar Otto Owen Pamela Patricia Patrick Paul Paula Pedro Peter Philip Phoebe Rachel
    Ralph Raymond Rebecca Renee Richard Rita Robert Roger Roland Ronald Rosa Roy Ruth Ryan Sally
    Sam Samantha Samuel Sandra Sara Sarah Sean Sergei Sharon Shirley Simon Sofia Sophie Stephen
    Steve Stuart Susan Sylvia Tara Ted Teresa Theodore Thomas Tim Tina Tom Tony Tracy Vera
    Vincent Walter Wanda Wendy William Zoe
    """
)
PERSONS = words(
    """
    nurse doctor lawyer teacher farmer baker singer painter soldier sailor pilot driver waiter
    clerk butcher tailor carpenter judge priest monk banker writer poet actor dancer drummer
    guitarist student professor scientist engineer chemist hunter fisherman guard miner shepherd
    gardener librarian reporter editor photographer musician king queen prince princess boy girl
    woman man widow uncle aunt cousin neighbor tourist traveler stranger prisoner
    """
)
THINGS = words(
    """
    box bag bottle basket bucket barrel crate jar chest cup bowl pot kettle pan lamp clock chair
    table bench bed carpet curtain blanket pillow coat hat boot shirt glove belt knife fork
    spoon hammer saw shovel rope ladder wheel bicycle wagon boat tent drum guitar piano camera
    radio telephone book map mirror statue vase ring necklace coin toy doll kite umbrella apron
    badge banner bell brush cabinet cage candle cart cello chain cushion desk dish fence flag
    flute frame fridge gate helmet jacket jug keyboard lantern laptop mask mattress mug notebook
    oven parcel pencil pipe plate printer puzzle razor robe rug scarf screen shelf shoe skirt
    sofa stool stove suitcase sweater tablet towel trailer tray tube vest violin wallet whistle
    window
    """
)
PLACES = words(
    """
    room kitchen hall cellar cabin tunnel shop church hotel garage school office museum library
    theater street market harbor station garden park beach village castle farm factory hospital
    bakery restaurant stadium
    """
)
EVENTS = words(
    """
    film story lecture speech meeting game exam song concert play lesson party ceremony wedding
    festival debate trial race interview show dance sermon
    """
)
# Places for persons and things, and for buildings and the like
WHERE = words(
    """
    near the river | in the corner | by the window | behind the house | under the bridge | next
    door | across the road | from the village | in the garden | at the market | by the lake | in
    the city | on the island | outside the gate | beside the fountain | near the border | at the
    airport | on the hill | in the valley | at the harbor | in the north | by the sea | near the
    forest
    """
)
OUTSIDE = words(
    """
    near the river | behind the church | next door | across the road | by the lake | in the city
    | on the island | near the border | on the hill | in the valley | in the north | by the sea
    | near the forest | in the south | by the canal
    """
)
WHEN = words(
    """
    last week | on Monday | on Friday | yesterday | this morning | last night | in March | in
    August | at noon | after lunch | before dinner | at midnight | in winter | in summer | last
    year | two days ago | on Sunday | after the storm | before sunrise | in autumn | at
    Christmas | during the strike | in spring | on Tuesday | on Thursday | in May | in October |
    last month | at first | in the end
    """
)


def sentence(draw: Draw, scene: str, clause: str) -> str:
    """A sentence with its scene (place or time; may be empty) in front or at the end."""
    parts = (scene, clause) if draw.chance(0.5) else (clause, scene)
    return capital(" ".join(filter(None, parts)) + ".")


def capital(text: str) -> str:
    """A text with its first letter as a capital."""
    return text[0].upper() + text[1:]
