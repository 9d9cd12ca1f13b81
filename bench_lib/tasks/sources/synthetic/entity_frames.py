"""Newswire frames for the corpus of entities: words, and slots in capitals.

PER is a full name, SUR a surname alone, LOC a place, ORG a firm or body with a word that says so, FIRM and CLUB a
bare name, NAT a nationality, EVENT a named event. NUM, SMALL, GOAL, DAY, MONTH, JOB, ROLE, GOOD and SPORT are no
entities. A digit makes a second one of the kind. The last quarter of the forms and nationalities occurs in evaluation
only.
"""

from __future__ import annotations

from bench_lib.tasks.sources.synthetic.draw import listed

FRAMES: tuple[str, ...] = (
    "PER , the ROLE of ORG , said on DAY that sales rose NUM percent .",
    "SUR said the talks in LOC had gone better than expected .",
    "Shares in FIRM fell NUM percent in LOC after the company cut its forecast .",
    "CLUB beat CLUB2 GOAL - GOAL2 in the first round of the EVENT on DAY .",
    "SUR beat SUR2 in straight sets to reach the final of the EVENT .",
    "The NAT JOB was born in LOC and studied in LOC2 .",
    "Police in LOC arrested a NAT JOB on DAY .",
    "FIRM will build a plant near LOC , a spokesman said .",
    "FIRM said it had agreed to buy ORG for NUM million dollars .",
    "PER scored twice as CLUB drew GOAL - GOAL2 with CLUB2 .",
    "Heavy rain closed the road between LOC and LOC2 on DAY .",
    "Some NUM people fled LOC when the river burst its banks in MONTH .",
    "PER ( LOC ) SMALL minutes SMALL2 seconds",
    "LOC , MONTH SMALL",
    "SPORT - CLUB SIGN NAT STRIKER PER .",
    "SUR , who joined CLUB from CLUB2 last year , will miss the EVENT .",
    "ORG opened an office in LOC to sell GOOD to NAT buyers .",
    "The JOB of LOC , PER , met NAT traders on DAY .",
    "A court in LOC fined FIRM NUM dollars on DAY .",
    "PER left FIRM in MONTH to run ORG .",
    "SUR told reporters that she would not resign .",
    "SUR told a JOB in LOC that he had never met SUR2 .",
    "Workers at FIRM walked out for SMALL hours over pay .",
    "LOC is SMALL kilometres north of LOC2 .",
    "The train from LOC to LOC2 was delayed for SMALL hours .",
    "CLUB fans threw bottles at NAT police after the match in LOC .",
    "NAT exports of GOOD to LOC doubled in MONTH .",
    "PER won the EVENT in LOC ahead of NAT rider PER2 .",
    "The EVENT opens in LOC on DAY with SMALL NAT teams .",
    "ORG named PER as its new ROLE .",
    "FIRM named SUR as ROLE after SUR2 retired .",
    "According to SUR , who owns the mill , the price of GOOD will rise in MONTH .",
    "According to FIRM , which sells GOOD , prices will rise in MONTH .",
    "Traders in LOC said the price of GOOD had risen since MONTH .",
    "SUR and his wife moved to LOC in MONTH .",
    "A JOB from LOC sold GOOD to a NAT JOB2 for NUM dollars .",
    "The JOB said he had bought the GOOD at a market in LOC .",
    "Prices of GOOD rose NUM percent in MONTH .",
    "The JOB and the JOB2 met for SMALL hours on DAY but did not agree .",
    "SPORT - RESULTS OF THE EVENT .",
    "CLUB lost to CLUB2 on DAY and dropped to the foot of the table .",
    "SUR lost to PER on DAY and blamed an old injury .",
    "FIRM lost NUM million dollars in MONTH .",
    "LOC lost power for SMALL hours on DAY after a storm .",
    "LOC elected PER as its first NAT - born JOB .",
    "CLUB signed SUR from the NAT side CLUB2 .",
    "Analysts at ORG expect FIRM to sell its GOOD business .",
    "ORG , based in LOC , makes GOOD .",
    "The plane left LOC at noon and landed safely in LOC2 .",
    "Doctors said SUR was in good condition in a hospital in LOC .",
    "SUR 's lawyer said the NAT court had no case .",
    "LOC 's harbour was closed to NAT ships in MONTH .",
    "FIRM 's shares closed SMALL cents higher in LOC .",
    "CLUB 's captain , PER , was sent off .",
    "The NAT foreign minister , PER , flew to LOC on DAY .",
    "Fire destroyed a store of GOOD owned by FIRM , which has NUM branches .",
    "Fire destroyed a store of GOOD owned by SUR , who was away at the time .",
    "Fire destroyed a store of GOOD near LOC , where NUM people live .",
    "Nothing was heard from LOC , where the telephone lines were down .",
    "Nothing was heard from SUR , who was on holiday with her family .",
    "Nothing was heard from FIRM , which closed its offices in MONTH .",
    "It was a good week for CLUB , unbeaten after SMALL league matches .",
    "It was a good week for SUR , who won her first title .",
    "It was a good week for FIRM , which reported a profit of NUM million dollars .",
    "It was a good week for LOC , where NUM thousand visitors filled the hotels .",
    "The JOB praised SUR for his courage .",
    "The JOB praised LOC for its clean streets .",
    "The JOB praised FIRM for keeping its prices low .",
    "The JOB praised CLUB for defending well in the second half .",
    "PER , SMALL , of LOC , was charged with stealing GOOD .",
    "The book by NAT JOB PER won a prize at the EVENT .",
)

NATIONALITIES = listed(
    """
    French German Dutch Spanish Italian Swedish Danish Polish Greek Turkish Russian Chinese Japanese Brazilian
    Mexican Canadian Irish Scottish Norwegian Swiss Finnish Egyptian Kenyan Korean Indian Chilean Austrian Belgian
    Portuguese Hungarian Romanian Bulgarian Ukrainian Peruvian Moroccan Nigerian Thai Icelandic Croatian
    Australian
    """
)
ORG_FORMS = (
    "{} Industries",
    "{} Bank",
    "{} Airlines",
    "{} Steel Corp",
    "{} & Sons",
    "University of {}",
    "{} Motors",
    "{} Chamber of Commerce",
    "Bank of {}",
    "{} Holdings",
    "{} Foods Ltd",
    "{} City Council",
)
EVENT_FORMS = (
    "{} Open",
    "{} Cup",
    "{} Marathon",
    "{} Grand Prix",
    "{} Film Festival",
    "Tour of {}",
    "{} Trophy",
    "{} Fair",
)
JOBS = listed(
    """
    baker mason bishop cook potter fisher carter mayor chairman president farmer judge banker teacher singer
    writer driver miner coach clerk
    """
)
ROLES = ("chairman", "president", "chief executive", "head", "finance director", "deputy chairman")
GOODS = listed(
    """
    steel wheat coffee copper timber cotton sugar cars shoes wine oil paper
    """
)
SPORTS = ("SOCCER", "TENNIS", "CYCLING", "CRICKET", "GOLF", "RUGBY")
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = listed(
    """
    January February March April May June July August September October November December
    """
)
