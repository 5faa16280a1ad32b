"""The tables of the photo feed, written once; the dump's DDL and the manifest both follow it."""

from __future__ import annotations

from dataclasses import dataclass

Row = tuple[str | None, ...]
"""One row as the texts that MariaDB prints for its values; None is NULL."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """``type`` is spelt as MariaDB 10.11 prints it in information_schema.columns.column_type."""

    name: str
    type: str
    nullable: bool = False
    default: str = ""

    @property
    def quoted(self) -> bool:
        """Whether a literal of this column stands in quotes."""
        return not self.type.startswith(("int", "bigint", "smallint", "tinyint", "decimal"))

    @property
    def ddl(self) -> str:
        """The column's line in CREATE TABLE, without the comma."""
        nullness = "NULL" if self.nullable else "NOT NULL"
        return f"  `{self.name}` {self.type} {nullness}{self.default}"

    @property
    def fingerprint(self) -> str:
        """The column as the manifest lists it."""
        return f"{self.name} {self.type} {'NULL' if self.nullable else 'NOT NULL'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """``references`` maps a column to the table whose ``id`` it holds."""

    name: str
    columns: tuple[Column, ...]
    keys: tuple[str, ...]
    references: tuple[tuple[str, str], ...] = ()

    @property
    def ddl(self) -> str:
        """The CREATE TABLE statement as mariadb-dump lays it out."""
        lines = [column.ddl for column in self.columns]
        lines += [f"  {key}" for key in self.keys]
        lines += [
            f"  CONSTRAINT `{self.name}_{column}` FOREIGN KEY (`{column}`)"
            f" REFERENCES `{target}` (`id`) ON DELETE CASCADE"
            for column, target in self.references
        ]
        body = ",\n".join(lines)
        options = "ENGINE=InnoDB DEFAULT CHARSET=utf8mb4 COLLATE=utf8mb4_general_ci"
        return f"CREATE TABLE `{self.name}` (\n{body}\n) {options};"

    def position(self, column: str) -> int:
        """The place of ``column`` in a row."""
        return [each.name for each in self.columns].index(column)


def _id(type_: str = "int(10) unsigned") -> Column:
    return Column(name="id", type=type_, default=" AUTO_INCREMENT")


def _reference(name: str) -> Column:
    return Column(name=name, type="int(10) unsigned")


def _at(name: str) -> Column:
    return Column(name=name, type="datetime")


def _optional(name: str, type_: str) -> Column:
    return Column(name=name, type=type_, nullable=True, default=" DEFAULT NULL")


USERS = Table(
    name="users",
    columns=(
        _id(),
        Column(name="username", type="varchar(60)"),
        Column(name="name", type="varchar(120)"),
        Column(name="email", type="varchar(190)"),
        _optional("phone", "varchar(32)"),
        Column(name="password_hash", type="char(60)"),
        Column(name="city", type="varchar(60)"),
        _optional("bio", "text"),
        Column(name="is_pro", type="tinyint(1)", default=" DEFAULT 0"),
        Column(name="credit_usd", type="decimal(10,2)", default=" DEFAULT 0.00"),
        _optional("born_on", "date"),
        _at("joined_at"),
        _optional("last_seen_at", "timestamp"),
    ),
    keys=(
        "PRIMARY KEY (`id`)",
        "UNIQUE KEY `username` (`username`)",
        "UNIQUE KEY `email` (`email`)",
        "KEY `city` (`city`)",
    ),
)

FOLLOWS = Table(
    name="follows",
    columns=(_reference("follower_id"), _reference("followed_id"), _at("followed_at")),
    keys=("PRIMARY KEY (`follower_id`,`followed_id`)", "KEY `followed_id` (`followed_id`)"),
    references=(("follower_id", "users"), ("followed_id", "users")),
)

PHOTOS = Table(
    name="photos",
    columns=(
        _id(),
        _reference("user_id"),
        Column(name="caption", type="varchar(280)"),
        Column(name="scene", type="enum('mountain','sea','city','forest','desert','night')"),
        Column(name="hue", type="smallint(5) unsigned"),
        Column(name="place", type="varchar(60)"),
        _optional("latitude", "decimal(9,6)"),
        _optional("longitude", "decimal(9,6)"),
        _optional("taken_at", "datetime"),
        _at("uploaded_at"),
    ),
    keys=(
        "PRIMARY KEY (`id`)",
        "KEY `user_id` (`user_id`,`uploaded_at`)",
        "KEY `uploaded_at` (`uploaded_at`)",
    ),
    references=(("user_id", "users"),),
)

ALBUMS = Table(
    name="albums",
    columns=(
        _id(),
        _reference("user_id"),
        Column(name="title", type="varchar(120)"),
        Column(
            name="visibility",
            type="enum('public','friends','private')",
            default=" DEFAULT 'public'",
        ),
        _at("created_at"),
    ),
    keys=("PRIMARY KEY (`id`)", "KEY `user_id` (`user_id`)"),
    references=(("user_id", "users"),),
)

ALBUM_PHOTOS = Table(
    name="album_photos",
    columns=(
        _reference("album_id"),
        _reference("photo_id"),
        Column(name="position", type="smallint(5) unsigned"),
    ),
    keys=("PRIMARY KEY (`album_id`,`photo_id`)", "KEY `photo_id` (`photo_id`)"),
    references=(("album_id", "albums"), ("photo_id", "photos")),
)

LIKES = Table(
    name="likes",
    columns=(_reference("photo_id"), _reference("user_id"), _at("liked_at")),
    keys=("PRIMARY KEY (`photo_id`,`user_id`)", "KEY `user_id` (`user_id`)"),
    references=(("photo_id", "photos"), ("user_id", "users")),
)

COMMENTS = Table(
    name="comments",
    columns=(
        _id("bigint(20) unsigned"),
        _reference("photo_id"),
        _reference("user_id"),
        _optional("reply_to", "bigint(20) unsigned"),
        Column(name="body", type="text"),
        _at("created_at"),
    ),
    keys=(
        "PRIMARY KEY (`id`)",
        "KEY `photo_id` (`photo_id`,`created_at`)",
        "KEY `user_id` (`user_id`)",
        "KEY `reply_to` (`reply_to`)",
    ),
    references=(("photo_id", "photos"), ("user_id", "users"), ("reply_to", "comments")),
)

TABLES = (USERS, FOLLOWS, PHOTOS, ALBUMS, ALBUM_PHOTOS, LIKES, COMMENTS)
"""Parents before children, which is also the order in which rows are made."""
