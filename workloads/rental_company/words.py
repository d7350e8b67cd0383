"""Words that a generated company's films, people and places are named with."""

from __future__ import annotations


def _listed(text: str) -> tuple[str, ...]:
    return tuple(" ".join(name.split()) for name in text.split(","))


ADJECTIVES = _listed("""
    AMBER, ANCIENT, AUTUMN, BLAZING, BORROWED, BROKEN, BURNING, CARELESS, CLOCKWORK, COPPER, CRIMSON, CROOKED,
    CRYSTAL, CURIOUS, DAPPLED, DARING, DISTANT, DOUBTFUL, DREAMING, DRIFTING, DUSTY, ELECTRIC, EMERALD, ENDLESS,
    FADING, FEARLESS, FIERCE, FLOATING, FORGOTTEN, FROZEN, GENTLE, GILDED, GLASS, GOLDEN, GRAVEL, HIDDEN, HOLLOW,
    HONEST, HUMBLE, IDLE, INDIGO, IRON, IVORY, JADED, LAUGHING, LEMON, LITTLE, LONESOME, LUCKY, LUNAR, MARBLE,
    MIDNIGHT, MISTY, MODEST, NEON, NOBLE, OBSIDIAN, PAINTED, PAPER, PATIENT, PEARL, PERFECT, POLAR, PROUD, QUIET,
    RAGGED, RAPID, RECKLESS, RESTLESS, ROARING, RUSTED, SACRED, SALTED, SCARLET, SECRET, SEVENTH, SILENT, SILVER,
    SINGING, SLEEPING, SLOW, SOLEMN, SPARE, STOLEN, STORMY, STUBBORN, SUDDEN, SUMMER, TANGLED, TENDER, THUNDER,
    TIMELESS, VELVET, VIOLET, WANDERING, WICKED, WILD, WINTER, WOODEN, YONDER
""")
NOUNS = _listed("""
    ACROBAT, ALBATROSS, ANCHOR, APPRENTICE, ARCHIVE, ATLAS, BADGER, BALLOON, BEACON, BICYCLE, BRIDGE, BUTCHER,
    CALENDAR, CANDLE, CANYON, CARAVAN, CARNIVAL, CATHEDRAL, CELLAR, CHAUFFEUR, CIRCUS, COMET, COMPASS, CONDUCTOR,
    COURIER, DAGGER, DIPLOMAT, DRAGONFLY, DUCHESS, EMBER, ENGINE, FALCON, FERRY, FIDDLE, FOUNTAIN, GALAXY, GAMBIT,
    GARDENER, GIRAFFE, GLACIER, GUITAR, HARBOUR, HARVEST, HERON, HORIZON, HURRICANE, INSPECTOR, ISLAND, JACKET,
    JUGGLER, KEEPER, KINGDOM, LANTERN, LEDGER, LIBRARIAN, LIGHTHOUSE, LOCKSMITH, MAGPIE, MARINER, MEADOW, MIRAGE,
    MIRROR, MONSOON, MOUNTAIN, NAVIGATOR, NOMAD, OCTOBER, ORCHARD, ORCHESTRA, OTTER, PARADE, PASSENGER, PELICAN,
    PENDULUM, PILGRIM, PLANET, POSTCARD, PUPPET, QUARRY, RAILWAY, RAVEN, RIVER, ROBOT, SAXOPHONE, SCHOLAR, SENTINEL,
    SHADOW, SIGNAL, SPARROW, STRANGER, SUITCASE, TEACUP, TELEGRAM, TIGER, TOWER, TRAPEZE, TROMBONE, UMBRELLA, VALLEY,
    VOYAGE, WALTZ, WINDMILL
""")
KINDS_OF_STORY = _listed("Tale, Story, Chronicle, Portrait, Adventure, Comedy, Saga, Mystery, Romance, Report")
TEMPERS = _listed("""
    Thoughtful, Breathless, Tender, Furious, Playful, Unlikely, Gripping, Quiet, Astonishing, Bitter, Warm, Strange
""")
ROLES = _listed("""
    Astronaut, Baker, Beekeeper, Boxer, Cartographer, Chess Player, Clockmaker, Composer, Detective, Ferryman,
    Florist, Forester, Gardener, Journalist, Lighthouse Keeper, Locksmith, Mathematician, Midwife, Mountaineer, Night
    Watchman, Piano Tuner, Pilot, Projectionist, Sailor, Schoolteacher, Spy, Tailor, Translator, Veterinarian,
    Violinist
""")
DEEDS = _listed("Outrun, Forgive, Rescue, Outwit, Follow, Hide, Protect, Confront, Teach, Marry, Betray, Find")
PLACES = _listed("""
    a Town without Clocks, the Last Night Train, a Flooded Valley, an Empty Cinema, the Arctic Circle, a Travelling
    Circus, a Desert Airfield, an Abandoned Observatory, the Harbour Quarter, a Hotel out of Season, the High
    Pastures, a Submarine, an Old Vineyard, the Opera House, a Village in the Clouds, the Suburbs
""")
FIRST_NAMES = _listed("""
    ADA, AGNES, ALBA, AMIR, ANDERS, ANIKA, ANTON, ARLO, ASTRID, BEATRIX, BRUNO, CARMEN, CASPAR, CELIA, CHIARA, CLARA,
    CONRAD, DALIA, DIEGO, EDITH, ELIAS, ELIF, EMIL, ESTHER, EZRA, FARAH, FELIX, FIONA, FREYA, GRETA, HAMID, HANNA,
    HUGO, IDA, IGOR, INES, IRIS, IVAN, JANA, JASPER, JONAS, JUNO, KAI, KARIM, KLARA, LARS, LEILA, LENA, LEO, LINUS,
    LUCIA, LUKA, MAGNUS, MALIK, MARTA, MATEO, MILA, MINA, NADIA, NILS, NINA, NOAH, NORA, OLGA, OMAR, OSCAR, OTTO,
    PABLO, PETRA, PRIYA, RAFAEL, RANIA, ROSA, RUBEN, SAMIR, SANA, SELMA, SIMON, SOFIA, STELLA, SVEN, TAMAR, TARIQ,
    THEO, TILDA, TOBIAS, UMA, URSULA, VERA, VICTOR, VIOLA, WANDA, YARA, YUSUF, ZARA, ZOE
""")
LAST_NAMES = _listed("""
    ABBOT, ADEYEMI, ALMEIDA, ANDERSEN, ASHDOWN, BARTOS, BECKER, BERGSTROM, BIANCHI, BLACKWOOD, BORGES, BRANDT,
    CALDERON, CASTELLI, CHOWDHURY, CLAESSON, COSTA, CROWTHER, DAHL, DELGADO, DIMITROV, DUBOIS, EASTMAN, EKLUND,
    ESPOSITO, FARROW, FERREIRA, FISCHER, FONTAINE, GALLAGHER, GARNIER, GREENWAY, GUPTA, HAAS, HALLORAN, HASSAN,
    HENDRIKS, HOLLOWAY, IBRAHIM, IVERSEN, JANSEN, JOSHI, KAPOOR, KELLER, KOVACS, KRAUSE, LARKIN, LAURENT, LINDQVIST,
    LOMBARDI, MAALOUF, MARCHETTI, MEHTA, MORETTI, NAKAMURA, NOVAK, OKAFOR, OLSEN, ORTEGA, PEMBERTON, PETROV, PINHEIRO,
    QUIGLEY, RAHMAN, RASMUSSEN, REYES, ROSSI, SANTORO, SATO, SCHNEIDER, SHARMA, SILVA, SORENSEN, TANAKA, THORNE,
    TORRES, UNDERHILL, VALENTINE, VANDIJK, VARGA, VOGEL, WEATHERBY, WHITLOCK, WINTERS, YAMADA, YILMAZ, ZHANG, ZIMMER
""")
STREETS = _listed("""
    Mill, Station, Orchard, Harbour, Chapel, Market, Castle, Bridge, Garden, Meadow, River, Quarry, Abbey, Forge
""")
WAYS = _listed("Street, Road, Lane, Avenue, Way, Square, Terrace, Parkway")
SYLLABLES = _listed("""
    al, an, bar, bel, bor, cal, cor, dal, den, dor, el, fal, far, gal, gor, hal, ken, lan, lor, mar, mel, mor, nar,
    nor, or, pel, ral, ran
""")
ENDINGS = _listed("burg, bridge, field, ford, haven, ham, mont, mouth, port, stad, ton, ville, wick, worth")
COUNTRIES = _listed("""
    Algeria, Angola, Argentina, Armenia, Australia, Austria, Azerbaijan, Bahrain, Bangladesh, Belarus, Belgium,
    Bolivia, Botswana, Brazil, Bulgaria, Cambodia, Cameroon, Canada, Chad, Chile, China, Colombia, Costa Rica,
    Croatia, Cuba, Cyprus, Czechia, Denmark, Ecuador, Egypt, Estonia, Ethiopia, Finland, France, Gabon, Gambia,
    Georgia, Germany, Ghana, Greece, Guatemala, Guinea, Honduras, Hungary, Iceland, India, Indonesia, Iran, Iraq,
    Ireland, Israel, Italy, Jamaica, Japan, Jordan, Kazakhstan, Kenya, Kuwait, Laos, Latvia, Lebanon, Liechtenstein,
    Lithuania, Luxembourg, Madagascar, Malawi, Malaysia, Malta, Mexico, Moldova, Mongolia, Morocco, Mozambique,
    Myanmar, Namibia, Nepal, Netherlands, New Zealand, Nicaragua, Nigeria, Norway, Oman, Pakistan, Panama, Paraguay,
    Peru, Philippines, Poland, Portugal, Romania, Rwanda, Senegal, Serbia, Slovakia, Slovenia, South Africa, South
    Korea, Spain, Sri Lanka, Sudan, Sweden, Switzerland, Tanzania, Thailand, Tunisia, Turkey, Uganda, Uruguay, Vietnam
""")
