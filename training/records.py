"""Records and texts that state them, for the extraction task: in varying order and wording, with distractors."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass

from . import names

Maker = Callable[[random.Random], str]
NUMERIC: tuple[Maker, ...] = (names.amount, names.integer)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a kind of record, and the ways to state it."""

    name: str
    make: Maker
    phrases: tuple[str, ...]
    """Sentences with one ``{}`` for the value."""


@dataclass(frozen=True, slots=True)
class Record:
    """``values`` are texts as they stand in ``text``; ``numeric`` names the fields that are JSON numbers."""

    kind: str
    text: str
    values: dict[str, str]
    numeric: frozenset[str]

    def to_json(self, fields: list[str], *, spaced: bool) -> str:
        """The expected answer: the values of ``fields``, in that order."""
        record = {name: json.loads(self.values[name]) if name in self.numeric else self.values[name] for name in fields}
        return json.dumps(record, separators=(", ", ": ") if spaced else (",", ":"), ensure_ascii=False)

    def template(self, fields: list[str]) -> dict[str, str | int]:
        """What is asked for: ``fields``, in that order, each with an empty value of its type."""
        return {name: 0 if name in self.numeric else "" for name in fields}


KINDS: dict[str, tuple[Field, ...]] = {
    "invoice": (
        Field(
            "number",
            names.code,
            ("Invoice {}.", "The invoice number is {}.", "Our invoice {} is attached.", "Reference: {}."),
        ),
        Field("vendor", names.company, ("It was issued by {}.", "The vendor is {}.", "Payable to {}.", "{} sent it.")),
        Field(
            "customer",
            names.person,
            ("It is addressed to {}.", "The customer is {}.", "Bill to {}.", "{} has to pay it."),
        ),
        Field("date", names.date, ("It was issued on {}.", "Invoice date: {}.", "It bears the date {}.")),
        Field("due", names.date, ("Payment is due by {}.", "Please pay before {}.", "The deadline is {}.")),
        Field(
            "total",
            names.amount,
            ("The total is {} EUR.", "It comes to {} dollars.", "Amount: {}.", "The sum of {} is open."),
        ),
    ),
    "person": (
        Field(
            "name", names.person, ("This is {}.", "Her name is {}.", "His name is {}.", "Meet {}.", "We spoke with {}.")
        ),
        Field("age", names.integer, ("The age given is {}.", "Age: {}.", "{} years old.", "Turned {} last week.")),
        Field("city", names.city, ("Lives in {}.", "The home town is {}.", "City: {}.", "Moved to {} not long ago.")),
        Field(
            "employer",
            names.company,
            ("Works for {}.", "Employed at {}.", "The employer is {}.", "{} pays the salary."),
        ),
        Field("email", names.email, ("Write to {}.", "Email: {}.", "The address is {}.", "Can be reached at {}.")),
        Field("born", names.date, ("Born on {}.", "The birthday is {}.", "Date of birth: {}.")),
    ),
    "order": (
        Field(
            "order", names.code, ("Order {} came in.", "The order number is {}.", "We received order {}.", "Order: {}.")
        ),
        Field(
            "product",
            names.product,
            ("It is for the {}.", "The item is a {}.", "Someone bought the {}.", "Product: {}."),
        ),
        Field(
            "quantity",
            names.integer,
            ("{} pieces were ordered.", "Quantity: {}.", "The count is {}.", "They want {} of them."),
        ),
        Field(
            "price",
            names.amount,
            ("Each costs {}.", "The price is {} EUR.", "Unit price: {}.", "At {} dollars a piece."),
        ),
        Field("buyer", names.person, ("The buyer is {}.", "{} placed it.", "Ordered by {}.", "It was bought by {}.")),
        Field("ship_to", names.city, ("Ship it to {}.", "It goes to {}.", "Destination: {}.", "Deliver to {}.")),
    ),
    "booking": (
        Field("guest", names.person, ("The guest is {}.", "A room for {}.", "{} will stay with us.", "Booked by {}.")),
        Field(
            "hotel", names.company, ("The hotel is {}.", "Staying at {}.", "Hotel: {}.", "{} confirmed the booking.")
        ),
        Field("city", names.city, ("It is in {}.", "The town is {}.", "City: {}.", "Located in {}.")),
        Field("arrival", names.date, ("Arrival on {}.", "Check in: {}.", "Arrives {}.", "From {} on.")),
        Field("departure", names.date, ("Departure on {}.", "Check out: {}.", "Leaves {}.", "Until {}.")),
        Field("nights", names.integer, ("{} nights in all.", "Nights: {}.", "For {} nights.")),
    ),
    "shipment": (
        Field(
            "tracking",
            names.code,
            ("Parcel {} is on its way.", "Tracking number: {}.", "Track it with {}.", "The code is {}."),
        ),
        Field(
            "carrier", names.company, ("The carrier is {}.", "Carried by {}.", "{} handles it.", "Handed over to {}.")
        ),
        Field("origin", names.city, ("It left {}.", "Sent from {}.", "Origin: {}.", "It started in {}.")),
        Field(
            "destination", names.city, ("It goes to {}.", "Bound for {}.", "Destination: {}.", "It should reach {}.")
        ),
        Field("weight", names.amount, ("It weighs {} kg.", "Weight: {}.", "The scale showed {} kg.")),
        Field("eta", names.date, ("Expected on {}.", "It should arrive by {}.", "Delivery date: {}.")),
    ),
    "meeting": (
        Field(
            "topic",
            names.product,
            ("The topic is the {}.", "We talk about the {}.", "Subject: {}.", "It concerns the {}."),
        ),
        Field("day", names.date, ("It is on {}.", "Day: {}.", "The date is {}.", "We meet on {}.")),
        Field("start", names.time, ("It starts at {}.", "Begins {}.", "From {} o'clock.", "Start: {}.")),
        Field("room", names.code, ("The room is {}.", "In room {}.", "Room: {}.", "Come to {}.")),
        Field("chair", names.person, ("{} chairs it.", "The chair is {}.", "Led by {}.", "Chaired by {}.")),
        Field("guests", names.integer, ("{} people come.", "We expect {} guests.", "Guests: {}.")),
    ),
}

DISTRACTORS = (
    "Please keep this for your files.",
    "There were no complaints so far.",
    "The weather was fine that week.",
    "Call {} if anything is unclear.",
    "{} has been informed.",
    "A copy went to {}.",
    "Nothing else is known.",
    "Thank you for your patience.",
    "We will get back to you soon.",
    "This was checked twice.",
)


def record(rng: random.Random, *, held_back: bool) -> Record:
    """A record of a random kind with all its fields stated in a text; values lie on one side of the split."""
    kind = rng.choice(sorted(KINDS))
    fields = list(KINDS[kind])
    values: dict[str, str] = {}
    for field in fields:
        # Numbers are too few to be split by their text; everything else is.
        numeric = field.make in NUMERIC
        value = field.make(rng) if numeric else names.draw(rng, field.make, held_back=held_back)
        values[field.name] = value
    rng.shuffle(fields)
    sentences = [rng.choice(field.phrases).format(values[field.name]) for field in fields]
    for _ in range(rng.choice([0, 0, 1, 1, 2])):
        distractor = rng.choice(DISTRACTORS).format(names.draw(rng, names.person, held_back=held_back))
        sentences.insert(rng.randint(0, len(sentences)), distractor)
    numbers = frozenset(field.name for field in fields if field.make in NUMERIC)
    return Record(kind, rng.choice([" ", " ", "\n"]).join(sentences), values, numbers)
