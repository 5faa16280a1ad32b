"""Takes a small, complete, masked sample of the backup: whole cities, and nothing that dangles.

What identifies a person is replaced: e-mail, user name and password hash by the row's id, the
phone number by zeros, names are exchanged among the sample, coordinates lose precision, the day
of birth becomes the first of January, and a free text that holds an e-mail address or a phone
number goes as a whole.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable

from photos_data import schema
from photos_data.schema import Row, Table
from photos_data.source import Source, degrees

SAMPLED_CITIES = 4
REMOVED_TEXT = "(removed: held an address or a number)"

EMAIL = re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+")
PHONE = re.compile(r"\+\d[\d ]{8,}")
MENTION = re.compile(r"@([a-z0-9.]+)")

FREE_TEXTS = (("users", "bio"), ("photos", "caption"), ("albums", "title"), ("comments", "body"))


class Extract:
    """Decides row by row, in the order of the tables, what of the backup is in the sample."""

    def __init__(self, source: Source, seed: int) -> None:
        rng = random.Random(f"{seed}:extract")
        inhabited = sorted({person.city for person in source.people})
        cities = set(rng.sample(inhabited, min(SAMPLED_CITIES, len(inhabited))))
        people = [person for person in source.people if person.city in cities]
        self._users = {str(person.id) for person in people}
        self._usernames = {person.username: f"user{person.id}" for person in people}
        self._names = _exchanged(rng, {str(person.id): person.name for person in people})
        self._kept: dict[str, set[str]] = {"users": self._users}
        self._masks: dict[str, Callable[[Row], Row]] = {
            "users": self._mask_user,
            "photos": self._mask_photo,
            "comments": self._mask_comment,
        }

    def take(self, table: Table, row: Row) -> Row | None:
        """The row as it stands in the extract, or None when the sample leaves it out."""
        if not self._belongs(table, row):
            return None
        if table.columns[0].name == "id":
            self._kept.setdefault(table.name, set()).add(_text(row[0]))
        mask = self._masks.get(table.name)
        row = mask(row) if mask else row
        return self._mask_texts(table, row)

    def _belongs(self, table: Table, row: Row) -> bool:
        if table is schema.USERS:
            return row[0] in self._users
        return all(
            row[table.position(column)] in self._kept.get(target, ())
            for column, target in table.references
            if not table.columns[table.position(column)].nullable
        )

    def _mask_user(self, row: Row) -> Row:
        user = dict(zip((column.name for column in schema.USERS.columns), row, strict=True))
        id_ = _text(user["id"])
        user["username"] = f"user{id_}"
        user["name"] = self._names[id_]
        user["email"] = f"user{id_}@example.invalid"
        user["phone"] = None if user["phone"] is None else f"+00 000 {int(id_):07}"
        user["password_hash"] = "!"
        born_on = user["born_on"]
        user["born_on"] = None if born_on is None else f"{born_on[:4]}-01-01"
        return tuple(user.values())

    def _mask_photo(self, row: Row) -> Row:
        places = {schema.PHOTOS.position("latitude"), schema.PHOTOS.position("longitude")}
        return tuple(
            degrees(float(value), 2) if position in places and value is not None else value
            for position, value in enumerate(row)
        )

    def _mask_comment(self, row: Row) -> Row:
        # A reply whose parent stays outside becomes a comment of its own.
        id_, photo_id, user_id, reply_to, body, created_at = row
        if reply_to not in self._kept["comments"]:
            reply_to = None
        return id_, photo_id, user_id, reply_to, body, created_at

    def _mask_texts(self, table: Table, row: Row) -> Row:
        positions = {table.position(column) for name, column in FREE_TEXTS if name == table.name}
        return tuple(
            self.mask_text(value) if position in positions and value is not None else value
            for position, value in enumerate(row)
        )

    def mask_text(self, text: str) -> str:
        """A free text without e-mail addresses, phone numbers and names of users."""
        if EMAIL.search(text) or PHONE.search(text):
            return REMOVED_TEXT
        return MENTION.sub(lambda match: "@" + self._usernames.get(match[1], "somebody"), text)


def _exchanged(rng: random.Random, names: dict[str, str]) -> dict[str, str]:
    """Everybody gets the name of the next in a shuffled ring, so that nobody keeps a row's own."""
    ring = rng.sample(list(names), len(names))
    return {id_: names[ring[place - 1]] for place, id_ in enumerate(ring)}


def _text(value: str | None) -> str:
    assert value is not None, "an id is never NULL"
    return value
