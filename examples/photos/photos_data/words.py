"""The vocabulary of the made-up data. Scripts beyond ASCII are here to test the way of a text."""

from __future__ import annotations

_FIRST_NAMES = (
    "Ada Aïcha Alejandro Amara Anders Anna Antoine Aoife Arjun Astrid Ayşe Beatriz Björn Brigitte "
    "Camille Carlos Chiara Chloé Claire Dagný Daniel Diego Dmitri Elena Elif Emil Emma Esther "
    "Fatima Felix Freya Gabriel Giulia Grace Hana Hannah Hugo Ibrahim Ines Ingrid Isaac Jakob "
    "James João Jonas José Julia Kaito Karim Kateřina Kenji Kofi Lars Layla Lena Leonor Liam "
    "Łukasz Lucía Luna Magnus Maja Marco María Mateusz Mei Milan Mina Nadia Naoko Nia Nils Noah "
    "Nora Olga Oliver Omar Oskar Paul Petra Priya Rafael Ravi Renée Rosa Ruth Samir Sara Sigrid "
    "Sofia Søren Stella Tariq Teresa Theo Thảo Tomáš Uma Vera Viktor Wanjiru Yara Yusuf Zeynep Zoë"
)
FIRST_NAMES = tuple(_FIRST_NAMES.split())

_LAST_NAMES = (
    "Abbott Acheampong Adeyemi Almeida Andersen Bauer Bergström Bianchi Blanc Boateng Brandt "
    "Castillo Chen Christensen Costa Crespo Dahl Delgado Demir Diallo Dubois Duarte Eriksson "
    "Esposito Evans Fernández Fischer Fontaine Fournier Freeman Fujita García Girard González "
    "Gruber Gupta Haddad Hansen Hayashi Hernández Hoffmann Horváth Hughes Ibáñez Ito Iversen "
    "Jansen Jensen Johansson Kamau Kaplan Kaur Keller Khan Kim Kowalski Kovač Krüger Laurent "
    "Lefèvre Lehmann Lindqvist López Magnusson Mendes Meyer Mokoena Moreau Müller Mwangi Nagy "
    "Nakamura Ndlovu Nielsen Novák Nowak O'Brien O'Connor Okafor Olsen Öztürk Park Patel Pereira "
    "Petrov Popescu Ramírez Reyes Ricci Rodríguez Rossi Roux Saito Santos Sato Schneider Silva "
    "Singh Sørensen Svensson Takahashi Tanaka Torres Tran Vasquez Virtanen Wagner Walker Weber "
    "Wójcik Wright Yamamoto Yıldız Zimmermann"
)
LAST_NAMES = tuple(_LAST_NAMES.split())

CITIES: tuple[tuple[str, float, float], ...] = (
    ("Accra", 5.6037, -0.1870),
    ("Amsterdam", 52.3676, 4.9041),
    ("Athens", 37.9838, 23.7275),
    ("Auckland", -36.8509, 174.7645),
    ("Barcelona", 41.3874, 2.1686),
    ("Bergen", 60.3913, 5.3221),
    ("Berlin", 52.5200, 13.4050),
    ("Bogotá", 4.7110, -74.0721),
    ("Brno", 49.1951, 16.6068),
    ("Buenos Aires", -34.6037, -58.3816),
    ("Cape Town", -33.9249, 18.4241),
    ("Copenhagen", 55.6761, 12.5683),
    ("Cork", 51.8985, -8.4756),
    ("Dakar", 14.7167, -17.4677),
    ("Edinburgh", 55.9533, -3.1883),
    ("Gdańsk", 54.3520, 18.6466),
    ("Genoa", 44.4056, 8.9463),
    ("Graz", 47.0707, 15.4395),
    ("Hamburg", 53.5511, 9.9937),
    ("Helsinki", 60.1699, 24.9384),
    ("İzmir", 38.4237, 27.1428),
    ("Kyoto", 35.0116, 135.7681),
    ("Lille", 50.6292, 3.0573),
    ("Lisbon", 38.7223, -9.1393),
    ("Ljubljana", 46.0569, 14.5058),
    ("Lyon", 45.7640, 4.8357),
    ("Malmö", 55.6050, 13.0038),
    ("Marrakesh", 31.6295, -7.9811),
    ("Melbourne", -37.8136, 144.9631),
    ("Montréal", 45.5019, -73.5674),
    ("Nairobi", -1.2921, 36.8219),
    ("Oaxaca", 17.0732, -96.7266),
    ("Porto", 41.1579, -8.6291),
    ("Pune", 18.5204, 73.8567),
    ("Reykjavík", 64.1466, -21.9426),
    ("Seoul", 37.5665, 126.9780),
    ("Tallinn", 59.4370, 24.7536),
    ("Valparaíso", -33.0472, -71.6127),
    ("Vancouver", 49.2827, -123.1207),
    ("Wellington", -41.2866, 174.7756),
)
"""Where people live and whom they follow: a city is a circle of friends."""

SUBJECTS: dict[str, tuple[str, ...]] = {
    "mountain": (
        "the ridge above the lake",
        "first snow on the pass",
        "the hut at 2,400 m",
        "a long way down",
        "the north face",
        "the last bend before the summit",
    ),
    "sea": (
        "low tide",
        "the old harbour",
        "a lighthouse, finally",
        "the ferry back",
        "waves at the pier",
        "a very cold swim",
    ),
    "city": (
        "the roofs from the fifth floor",
        "the market before it opens",
        "tram line 11",
        "our street after the rain",
        "the bridge everybody photographs",
        "scaffolding, again",
    ),
    "forest": (
        "fog between the beeches",
        "mushrooms we did not eat",
        "the path behind the mill",
        "a fox that waited",
        "moss",
        "larches turning",
    ),
    "desert": (
        "dunes at noon",
        "a road without a bend",
        "tracks of a beetle",
        "the dry river",
        "red rock, blue shadow",
        "heat above the salt",
    ),
    "night": (
        "forty minutes of stars",
        "the window across the yard",
        "a green sky, for once",
        "the last train",
        "moonrise",
        "fireworks from far away",
    ),
}

MOMENTS = (
    "Morning light:",
    "Sunday:",
    "Before breakfast:",
    "On the way home:",
    "Found on an old roll:",
    "Again",
    "One year ago:",
    "Testing the new lens on",
    "Not sharp, but I like it:",
    "With Grandma's camera:",
    "Lucky shot:",
    "今日:",
    "Сегодня:",
    "\N{CAMERA WITH FLASH}",
)

ALBUM_TITLES = (
    "Best of {year}",
    "{city}, {year}",
    "A weekend in {city}",
    "Black & white",
    "Kitchen table",
    "Film only",
    'The "good" ones',
    "For Mum",
    "Long exposures",
    "Rain",
    "Everything with a dog in it",
    "C:\\Photos\\{year}",
)

REMARKS = (
    "Love the light here.",
    "Wow \N{SMILING FACE WITH HEART-SHAPED EYES}",
    "Which lens is that?",
    "I was there last week, it's even better in the rain!",
    "This made my day.",
    "The colours \N{FIRE}",
    "Straight out of the camera?",
    'You call this "not sharp"?!',
    "すごい!",
    "Очень красиво",
    "¡Qué maravilla!",
    "Print this one.\nBig.",
    "Looks like C:\\Windows\\Wallpaper in the best way.",
    "More of this; please.",
    "-- and nobody else on the path?",
    "50% sky, 100% mood",
    "f/8 and be there",
    "I'd hang that on my wall",
    "How early did you get up for this?",
    "\N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16}\N{HEAVY BLACK HEART}\N{VARIATION SELECTOR-16}",
)

REPLIES = ("thank you!", "yes, handheld", "come along next time", "ha, not on purpose", "merci!")

PRIVATE_REMARKS = (
    "Write me at {email}, I'd like a print.",
    "Call me, {phone}, I know the owner.",
    "Is {email} still your address? The prints came back.",
    "New number: {phone}",
)
"""What people should not put into a comment, and do: masking has to find it."""

BIOS = (
    "Analogue, mostly.",
    "I photograph doors.",
    "Slow shutter, slow walks.",
    "Nurse by night, birds by day.",
    "Two kids, one camera.",
    "Prints: {email}",
)
