"""Words for the sentiment corpora: what is good, what is bad, and what is neither.

The last quarter of each list of opinions occurs in evaluation only.
"""

from __future__ import annotations

from bench_lib.tasks.sources.synthetic.draw import listed

GOOD_ADJECTIVES = listed(
    """
    moving funny sharp warm gripping charming elegant inventive honest witty clever graceful thrilling tender
    vivid absorbing delightful superb brilliant touching stylish engaging lively fresh powerful beautiful
    memorable satisfying hilarious wonderful excellent captivating heartfelt smart original stirring entertaining
    splendid refreshing joyful exciting lovely masterful rewarding convincing fascinating remarkable polished
    magical admirable terrific compelling inspired impressive amusing enchanting exquisite outstanding fantastic
    amazing
    """
)
BAD_ADJECTIVES = listed(
    """
    dull clumsy tedious flat hollow lazy predictable boring awkward shallow bland stale dreary sloppy forgettable
    annoying pointless lifeless ugly stupid cheap tiresome grating messy silly weak awful terrible painful
    ridiculous contrived muddled wooden plodding pretentious irritating disappointing worthless miserable careless
    incoherent dismal mediocre feeble confused bloated crude unbearable laughable dreadful lame monotonous empty
    horrible unpleasant soulless pathetic poor inept depressing
    """
)
GOOD_NOUNS = (
    "a delight",
    "a triumph",
    "a joy",
    "a treat",
    "a pleasure",
    "a gem",
    "a success",
    "a small masterpiece",
    "a breath of fresh air",
    "a marvel",
    "a gift",
    "a winner",
)
BAD_NOUNS = (
    "a chore",
    "a mess",
    "a bore",
    "a disaster",
    "a waste of time",
    "a disappointment",
    "a failure",
    "a complete flop",
    "an insult",
    "a disgrace",
    "a letdown",
    "a catastrophe",
)
GOOD_VERBS = (
    ("kept me smiling", "keep me smiling"),
    ("won me over", "win me over"),
    ("held my attention", "hold my attention"),
    ("made me laugh", "make me laugh"),
    ("moved me", "move me"),
    ("lifted my spirits", "lift my spirits"),
    ("swept me away", "sweep me away"),
    ("touched my heart", "touch my heart"),
    ("made my day", "make my day"),
    ("impressed me", "impress me"),
    ("charmed me", "charm me"),
    ("gave me goosebumps", "give me goosebumps"),
)
BAD_VERBS = (
    ("put me to sleep", "put me to sleep"),
    ("tested my patience", "test my patience"),
    ("left me cold", "leave me cold"),
    ("bored me", "bore me"),
    ("made me cringe", "make me cringe"),
    ("gave me a headache", "give me a headache"),
    ("ruined my evening", "ruin my evening"),
    ("got on my nerves", "get on my nerves"),
    ("wore me out", "wear me out"),
    ("annoyed me", "annoy me"),
    ("disgusted me", "disgust me"),
    ("made me want to leave", "make me want to leave"),
)
ASPECTS = listed(
    """
    acting plot script dialogue music ending story camerawork editing humour direction opening cast pacing romance
    scenery premise soundtrack villain lead finale photography
    """
)
COUNTABLE_ASPECTS = listed(
    """
    plot script ending story cast premise soundtrack villain finale romance
    """
)
WORKS = listed(
    """
    film movie picture comedy drama thriller sequel romance western remake musical
    """
)
INTENSIFIERS = listed(
    """
    very really quite truly rather thoroughly utterly simply
    """
)
COMPANIONS = listed(
    """
    sister brother wife husband neighbour colleague cousin flatmate father mother aunt
    """
)
PLACES = (
    "on television",
    "at the old cinema in town",
    "on a long flight",
    "at a small festival",
    "on a rainy Sunday",
    "in a half-empty theatre",
    "at a friend's house",
    "on the last day of its run",
)
JOBS = listed(
    """
    teacher detective nurse farmer lawyer sailor painter pilot journalist widow soldier baker
    """
)
TOWNS = (
    "a fishing village",
    "a mining town",
    "the capital",
    "a suburb",
    "the mountains",
    "a border town",
    "the desert",
)
ERRANDS = (
    "to look for a missing brother",
    "to sell the family house",
    "to bury an old friend",
    "to start a new job",
    "to settle a debt",
    "to attend a wedding",
    "to testify at a trial",
    "to open a restaurant",
)
EVENTS = (
    "a letter arrives from abroad",
    "a stranger moves in next door",
    "the bridge is closed for the winter",
    "a train is held up by snow",
    "an old photograph turns up",
    "the bank calls in the loan",
    "a witness changes his story",
    "the brother comes home",
)
