"""Made-up names and values, each on one side of the split by a hash of its text: no evaluated one was seen."""

from __future__ import annotations

import random
from collections.abc import Callable

from .corpus import is_held_back


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


ONSETS = _words("b c d f g h j k l m n p r s t v w z br ch cl dr fl gr kr pl sh sl st th tr")
VOWELS = _words("a e i o u a e i o ai ea ie ou")
CODAS = ("", "", "", "l", "n", "r", "s", "m", "nd", "rt", "x", "ck")
FIRST_NAMES = _words(
    """
    Ada Ben Carla David Elena Farid Grace Hugo Ines Jonas Karin Liam Mara Nils Olga Paul Rosa Sam Tara Uwe Vera
    Wim Yara Zoe Anna Boris Chloe Dmitri Emma Felix Greta Hana Ivan Julia Kofi Laura Miguel Nadia Oscar Priya
    Quentin Ravi Sofia Tomas
    """
)
GOODS = _words(
    """
    lamp desk chair monitor keyboard cable router printer bottle jacket helmet tent camera tripod speaker
    notebook pen kettle blender ladder hammer drill bicycle wheel mirror carpet curtain pillow blanket teapot
    battery charger tablet scanner
    """
)
COLOURS = _words(
    """
    red blue green black white grey yellow orange purple brown silver golden small large heavy light round flat
    """
)
MONTHS = _words(
    """
    January February March April May June July August September October November December
    """
)
WORDS = _words(
    """
    value item node count index name path data result buffer state key text line size total offset limit parser
    reader writer handler config option entry record field token stream cache queue stack table row column left
    right first last start end current next old new temp base root parent child source target input output local
    remote raw clean request reply event signal level mode flag weight score point pair group batch block chunk
    part piece user owner
    """
)


def draw(rng: random.Random, make: Callable[[random.Random], str], *, held_back: bool) -> str:
    """A value of ``make`` that lies on the wanted side of the split."""
    while True:
        value = make(rng)
        if is_held_back(value) == held_back:
            return value


def syllables(rng: random.Random, low: int = 2, high: int = 3) -> str:
    """A pronounceable made-up word in lower case."""
    return "".join(rng.choice(ONSETS) + rng.choice(VOWELS) + rng.choice(CODAS) for _ in range(rng.randint(low, high)))


def person(rng: random.Random) -> str:
    """A first name and a made-up family name."""
    first = rng.choice(FIRST_NAMES) if rng.random() < 0.6 else syllables(rng, 1, 2).capitalize()
    return f"{first} {syllables(rng).capitalize()}"


def company(rng: random.Random) -> str:
    """A made-up name and what companies add to it."""
    ending = rng.choice(["Ltd", "GmbH", "Inc", "Group", "Works", "Labs", "& Sons", "Partners", "Trading", "Systems"])
    return f"{syllables(rng).capitalize()} {ending}"


def city(rng: random.Random) -> str:
    """A made-up place."""
    ending = rng.choice(["", "", "ville", "burg", "ton", "port", "stad", " Bay", " Hill"])
    return syllables(rng, 1, 2).capitalize() + ending


def product(rng: random.Random) -> str:
    """A thing with a colour or a size, often with its maker."""
    maker = f" {syllables(rng, 1, 2).capitalize()}" if rng.random() < 0.4 else ""
    return f"{rng.choice(COLOURS)} {rng.choice(GOODS)}{maker}"


def date(rng: random.Random) -> str:
    """A day, as ``2031-04-05`` or ``5 April 2031``."""
    year, month, day = rng.randint(1990, 2035), rng.randint(1, 12), rng.randint(1, 28)
    if rng.random() < 0.5:
        return f"{year}-{month:02}-{day:02}"
    return f"{day} {MONTHS[month - 1]} {year}"


def time(rng: random.Random) -> str:
    """Hours and minutes."""
    return f"{rng.randint(0, 23):02}:{rng.randint(0, 59):02}"


def code(rng: random.Random) -> str:
    """A document number: letters and digits."""
    letters = "".join(rng.choice("ABCDEFGHJKLMNPQRSTUVWXYZ") for _ in range(rng.randint(1, 3)))
    return f"{letters}{rng.choice(['-', '-', '', '/'])}{rng.randint(100, 999999)}"


def email(rng: random.Random) -> str:
    """An address of made-up words."""
    local = syllables(rng, 1, 2) + rng.choice([".", "_", ""]) + syllables(rng, 1, 2)
    return f"{local}@{syllables(rng, 1, 2)}.{rng.choice(['com', 'org', 'net'])}"


def amount(rng: random.Random) -> str:
    """A sum of money or a weight, with two decimals."""
    # The last digit is not zero: JSON would print 12.50 as 12.5, and that is not a copy.
    return f"{rng.randint(1, 9999)}.{rng.randint(0, 9)}{rng.randint(1, 9)}"


def integer(rng: random.Random) -> str:
    """A count of one to three digits."""
    return str(rng.randint(1, rng.choice([9, 99, 999])))


def identifier(rng: random.Random) -> str:
    """A Python name: snake_case, camelCase or CamelCase, of one to three words."""
    words = [
        rng.choice(WORDS) if rng.random() < 0.5 else syllables(rng, 1, 2) for _ in range(rng.choice([1, 1, 2, 2, 3]))
    ]
    style = rng.random()
    if style < 0.7:
        return rng.choice(["", "", "", "_"]) + "_".join(words)
    if style < 0.85:
        return words[0] + "".join(word.capitalize() for word in words[1:])
    return "".join(word.capitalize() for word in words)
