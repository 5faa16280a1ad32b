"""Makes the rows of the backup. The same seed and size give the same rows, in any order of use.

Likes, comments and follows stay mostly within a city, and popularity follows a power law: a few
people and photos get most of the attention. So a sample of whole cities keeps a living network.
"""

from __future__ import annotations

import random
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TypeVar

from photos_data import words
from photos_data.schema import Row

FIRST_DAY = datetime(2021, 3, 1, tzinfo=UTC)
SPAN_S = int((datetime(2026, 11, 20, tzinfo=UTC) - FIRST_DAY).total_seconds())
WITHIN_CITY = 0.85

_DAYS = [f"{FIRST_DAY + timedelta(days=n):%Y-%m-%d}" for n in range(SPAN_S // 86400 + 2)]
_CLOCK = [f"{s // 3600:02}:{s // 60 % 60:02}:{s % 60:02}" for s in range(86400)]
_ASCII = str.maketrans({"ø": "o", "ł": "l", "ı": "i", "đ": "d", "'": ""})


T = TypeVar("T")


def stamp(second: int) -> str:
    """A second of the data's span as MariaDB prints a DATETIME. A table: strftime is too slow."""
    return f"{_DAYS[second // 86400]} {_CLOCK[second % 86400]}"


def degrees(value: float, digits: int) -> str:
    """A coordinate as MariaDB prints a DECIMAL(9,6); it knows no negative zero."""
    return f"{round(value, digits) + 0.0:.6f}"


def handle_of(name: str) -> str:
    """``Łukasz O'Brien`` as ``lukasz.obrien``."""
    plain = unicodedata.normalize("NFKD", name.lower().translate(_ASCII))
    return plain.encode("ascii", "ignore").decode().replace(" ", ".")


@dataclass(frozen=True, slots=True)
class Person:
    id: int
    name: str
    username: str
    city: int
    joined: int


@dataclass(frozen=True, slots=True)
class Photo:
    id: int
    owner: Person
    uploaded: int


@dataclass(frozen=True, slots=True)
class Album:
    id: int
    owner: Person
    created: int
    photos: tuple[Photo, ...]


class Source:
    """The whole made-up production. Iterators of rows come in the order of their primary keys."""

    def __init__(self, seed: int, users: int) -> None:
        self._seed = seed
        self.people = self._make_people(users)
        self.photos = self._make_photos(users * 6)
        # Popularity has nothing to do with age, so the rankings are shuffled; a circle's ranking
        # follows that of all.
        rng = self._random("ranking")
        self._people_ranked = rng.sample(self.people, len(self.people))
        self._photos_ranked = rng.sample(self.photos, len(self.photos))
        self._people_by_city = _grouped(self._people_ranked, lambda person: person.city)
        self._photos_by_city = _grouped(self._photos_ranked, lambda photo: photo.owner.city)
        self.albums = self._make_albums(users * 3 // 4)

    def _random(self, purpose: str) -> random.Random:
        # A stream for each purpose: to change one table's rows leaves the others' as they are.
        return random.Random(f"{self._seed}:{purpose}")

    def _make_people(self, count: int) -> list[Person]:
        rng = self._random("people")
        joined = sorted(int(SPAN_S * 0.97 * rng.random() ** 0.6) for _ in range(count))
        people = []
        for id_, second in enumerate(joined, start=1):
            name = f"{rng.choice(words.FIRST_NAMES)} {rng.choice(words.LAST_NAMES)}"
            username = f"{handle_of(name)}{id_}"
            people.append(Person(id_, name, username, rng.randrange(len(words.CITIES)), second))
        return people

    def _make_photos(self, count: int) -> list[Photo]:
        rng = self._random("photos")
        ranked = rng.sample(self.people, len(self.people))
        uploads = []
        for _ in range(count):
            owner = _pick(rng, ranked, 2.0)
            second = owner.joined + int((SPAN_S - owner.joined) * rng.random() ** 0.8)
            uploads.append((second, owner.id, owner))
        uploads.sort(key=lambda upload: upload[:2])
        return [Photo(n, owner, second) for n, (second, _, owner) in enumerate(uploads, start=1)]

    def _make_albums(self, count: int) -> list[Album]:
        rng = self._random("albums")
        by_owner = _grouped(self.photos, lambda photo: photo.owner.id)
        owners = list(by_owner.values())
        albums = []
        for _ in range(count):
            photos = rng.choice(owners)
            size = min(len(photos), 2 + int(12 * rng.random() ** 2))
            chosen = tuple(rng.sample(photos, size))
            newest = max(photo.uploaded for photo in chosen)
            created = newest + int((SPAN_S - newest) * rng.random() ** 4)
            albums.append((created, chosen))
        albums.sort(key=lambda album: (album[0], album[1][0].id))
        return [
            Album(n, chosen[0].owner, created, chosen)
            for n, (created, chosen) in enumerate(albums, start=1)
        ]

    def user_rows(self) -> Iterator[Row]:
        """Rows of ``users``."""
        rng = self._random("users")
        for person in self.people:
            email = f"{person.username}@{rng.choice(('mail', 'post', 'inbox'))}.example"
            last_seen = person.joined + int((SPAN_S - person.joined) * rng.random() ** 0.3)
            bio = rng.choice(words.BIOS).format(email=email) if rng.random() < 0.4 else None
            yield (
                str(person.id),
                person.username,
                person.name,
                email,
                _phone(rng) if rng.random() < 0.6 else None,
                f"$2y$10${rng.getrandbits(212):053x}",
                words.CITIES[person.city][0],
                bio,
                "1" if rng.random() < 0.08 else "0",
                f"{rng.choice((-5, 0, 0, 0, 10, 25)) + rng.randrange(100) / 100:.2f}",
                f"{rng.randrange(1950, 2009)}-{rng.randrange(1, 13):02}-{rng.randrange(1, 29):02}"
                if rng.random() < 0.5
                else None,
                stamp(person.joined),
                stamp(last_seen) if rng.random() < 0.95 else None,
            )

    def follow_rows(self) -> Iterator[Row]:
        """Rows of ``follows``."""
        rng = self._random("follows")
        pairs: set[tuple[int, int]] = set()
        for _ in range(len(self.people) * 10):
            follower = _pick(rng, self._people_ranked, 1.3)
            followed = self._someone_near(rng, follower.city, 1.8)
            if follower.id != followed.id:
                pairs.add((follower.id, followed.id))
        for follower_id, followed_id in sorted(pairs):
            later = max(self.people[follower_id - 1].joined, self.people[followed_id - 1].joined)
            second = later + int((SPAN_S - later) * rng.random() ** 1.5)
            yield str(follower_id), str(followed_id), stamp(second)

    def photo_rows(self) -> Iterator[Row]:
        """Rows of ``photos``."""
        rng = self._random("captions")
        scenes = tuple(words.SUBJECTS)
        for photo in self.photos:
            city, latitude, longitude = words.CITIES[photo.owner.city]
            if rng.random() < 0.25:
                city, latitude, longitude = rng.choice(words.CITIES)
            scene = rng.choice(scenes)
            located = rng.random() < 0.7
            taken = max(0, photo.uploaded - int(86400 * 30 * rng.random() ** 6))
            yield (
                str(photo.id),
                str(photo.owner.id),
                f"{rng.choice(words.MOMENTS)} {rng.choice(words.SUBJECTS[scene])}",
                scene,
                str(rng.randrange(360)),
                city,
                degrees(latitude + rng.gauss(0, 0.05), 6) if located else None,
                degrees(longitude + rng.gauss(0, 0.05), 6) if located else None,
                stamp(taken) if rng.random() < 0.9 else None,
                stamp(photo.uploaded),
            )

    def album_rows(self) -> Iterator[Row]:
        """Rows of ``albums``."""
        rng = self._random("titles")
        for album in self.albums:
            created = stamp(album.created)
            title = rng.choice(words.ALBUM_TITLES)
            yield (
                str(album.id),
                str(album.owner.id),
                title.format(year=created[:4], city=words.CITIES[album.owner.city][0]),
                rng.choices(("public", "friends", "private"), (8, 3, 1))[0],
                created,
            )

    def album_photo_rows(self) -> Iterator[Row]:
        """Rows of ``album_photos``."""
        for album in self.albums:
            places = {photo.id: place for place, photo in enumerate(album.photos, start=1)}
            for photo_id in sorted(places):
                yield str(album.id), str(photo_id), str(places[photo_id])

    def like_rows(self) -> Iterator[Row]:
        """Rows of ``likes``."""
        rng = self._random("likes")
        pairs: set[tuple[int, int]] = set()
        for _ in range(len(self.people) * 32):
            person = _pick(rng, self._people_ranked, 1.4)
            pairs.add((self._photo_near(rng, person.city).id, person.id))
        for photo_id, user_id in sorted(pairs):
            second = self._reaction(rng, self.photos[photo_id - 1], self.people[user_id - 1])
            yield str(photo_id), str(user_id), stamp(second)

    def comment_rows(self) -> Iterator[Row]:
        """Rows of ``comments``. A reply answers the comment that stood last under the photo."""
        rng = self._random("comments")
        drafts = []
        for _ in range(len(self.people) * 12):
            person = _pick(rng, self._people_ranked, 1.6)
            photo = self._photo_near(rng, person.city)
            drafts.append((self._reaction(rng, photo, person), photo.id, person.id))
        last: dict[int, tuple[int, Person]] = {}
        for id_, (second, photo_id, user_id) in enumerate(sorted(drafts), start=1):
            person = self.people[user_id - 1]
            before = last.get(photo_id) if rng.random() < 0.5 else None
            body = self._remark(rng, person)
            if before is not None:
                body = f"@{before[1].username} {rng.choice(words.REPLIES)}"
            reply_to = None if before is None else str(before[0])
            yield str(id_), str(photo_id), str(user_id), reply_to, body, stamp(second)
            last[photo_id] = (id_, person)

    def _remark(self, rng: random.Random, person: Person) -> str:
        if rng.random() < 0.01:
            email = f"{person.username}@mail.example"
            return rng.choice(words.PRIVATE_REMARKS).format(email=email, phone=_phone(rng))
        return rng.choice(words.REMARKS)

    def _someone_near(self, rng: random.Random, city: int, steepness: float) -> Person:
        circle = self._people_by_city.get(city) if rng.random() < WITHIN_CITY else None
        return _pick(rng, circle or self._people_ranked, steepness)

    def _photo_near(self, rng: random.Random, city: int) -> Photo:
        circle = self._photos_by_city.get(city) if rng.random() < WITHIN_CITY else None
        return _pick(rng, circle or self._photos_ranked, 1.7)

    def _reaction(self, rng: random.Random, photo: Photo, person: Person) -> int:
        # Most people react within hours, some after years: a Pareto delay, kept inside the span.
        first = max(photo.uploaded, person.joined)
        second = first + int(1800 * (rng.paretovariate(0.45) - 1))
        return second if second <= SPAN_S else first + int((SPAN_S - first) * rng.random())


def _pick(rng: random.Random, ranked: Sequence[T], steepness: float) -> T:
    return ranked[int(len(ranked) * rng.random() ** steepness)]


def _grouped(items: Iterable[T], key: Callable[[T], int]) -> dict[int, list[T]]:
    groups: dict[int, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _phone(rng: random.Random) -> str:
    return f"+{rng.randrange(30, 99)} {rng.randrange(100, 999)} {rng.randrange(10**6, 10**7)}"
