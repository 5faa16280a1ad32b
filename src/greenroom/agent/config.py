"""boot.json: what this machine shall become. Parsed once; anything unexpected is refused."""

from __future__ import annotations

from .errors import AgentError
from .quick_json import loads
from .value import TYPE_CHECKING, Value

MODES = ("clone", "cold", "empty")


class Restore(Value):
    """How the data volume mounted at ``directory`` gets its content."""

    engine: str
    directory: str
    service: str
    database: str
    user: str
    mode: str
    source: str | None
    bucket_url: str | None
    manifest_key: str | None


class Deploy(Value):
    """Where the code comes from; ``keys`` in order of preference. ``keep`` maps folders of it that
    outlive a release to their owners."""

    bucket_url: str
    keys: tuple[str, ...]
    directory: str
    restart: tuple[str, ...]
    keep: dict[str, str]
    mounted: bool


class Puppet(Value):
    """``key`` holds the manifests of branch ``version``; ``manifest`` is the file to apply.
    ``buckets`` maps the names that a manifest may say to URLs."""

    bucket_url: str
    key: str
    version: str
    manifest: str
    buckets: dict[str, str]


class Provision(Value):
    """What configures the machine at its first boot: shell lines, or Puppet."""

    commands: tuple[str, ...]
    puppet: Puppet | None


class HttpCheck(Value):
    """GET ``path`` answers ``status`` with ``contains`` in its body."""

    path: str
    port: int
    status: int
    contains: str
    deadline_s: float


class TcpCheck(Value):
    """``port`` accepts a connection."""

    port: int
    deadline_s: float


class CommandCheck(Value):
    """``argv`` exits with 0."""

    argv: tuple[str, ...]
    deadline_s: float


if TYPE_CHECKING:
    from .account import Account
    from .aws_config import Aws
    from .paths import Paths

    Check = HttpCheck | TcpCheck | CommandCheck


class Boot(Value):
    """The whole file. ``aws`` is None in a local region; ``health_url``, which takes what the
    machine says of its health, is None on AWS."""

    machine: str
    environment: str
    branch: str
    signal_url: str
    deadline_s: float
    services: tuple[str, ...]
    drill: bool
    restore: Restore | None
    deploy: Deploy | None
    checks: tuple[Check, ...]
    aws: Aws | None = None
    health_url: str | None = None
    provision: Provision | None = None

    @property
    def puppet(self) -> Puppet | None:
        """What Puppet is to apply, if it is to."""
        return None if self.provision is None else self.provision.puppet


class Fields:
    """A JSON object that is read key by key; ``end`` refuses what nobody read."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise AgentError(f"{where} is not an object")
        self._left: dict[str, object] = dict(value)
        self.where = where

    def _take(self, key: str, kinds: tuple[type, ...], wanted: str) -> object:
        if key not in self._left:
            raise AgentError(f"{self.where}: {key} is missing")
        value = self._left.pop(key)
        if not isinstance(value, kinds) or (isinstance(value, bool) and bool not in kinds):
            raise AgentError(f"{self.where}: {key} is {value!r}, expected {wanted}")
        return value

    def text(self, key: str) -> str:
        """A string."""
        return str(self._take(key, (str,), "a string"))

    def optional_text(self, key: str) -> str | None:
        """A string or null."""
        value = self._take(key, (str, type(None)), "a string or null")
        return None if value is None else str(value)

    def whole(self, key: str) -> int:
        """An integer."""
        value = self._take(key, (int,), "an integer")
        assert isinstance(value, int)
        return value

    def seconds(self, key: str) -> float:
        """A number."""
        value = self._take(key, (int, float), "a number")
        assert isinstance(value, (int, float))
        return float(value)

    def truth(self, key: str) -> bool:
        """A boolean."""
        return bool(self._take(key, (bool,), "true or false"))

    def items(self, key: str) -> list[object]:
        """A list of anything."""
        value = self._take(key, (list,), "a list")
        assert isinstance(value, list)
        return value

    def texts(self, key: str) -> tuple[str, ...]:
        """A list of strings."""
        items = self.items(key)
        if not all(isinstance(item, str) for item in items):
            raise AgentError(f"{self.where}: {key} is {items!r}, expected a list of strings")
        return tuple(str(item) for item in items)

    def text_by_name(self, key: str) -> dict[str, str]:
        """An object whose values are strings."""
        value = self._take(key, (dict,), "an object")
        assert isinstance(value, dict)
        if not all(isinstance(item, str) for item in value.values()):
            raise AgentError(f"{self.where}: {key} is {value!r}, expected an object of strings")
        return {str(name): str(item) for name, item in value.items()}

    def anything(self, key: str) -> object:
        """Whatever stands there, null included."""
        return self._take(key, (object,), "a value") if key in self._left else None

    def end(self) -> None:
        """Raise AgentError if a key is left that nobody knows."""
        for key in sorted(self._left):
            raise AgentError(f"{self.where}: unknown key {key!r}")


def read_boot(path: str) -> object:
    """The file's JSON, unchecked: the signal's URL must be found even when the rest is wrong."""
    try:
        with open(path, encoding="utf-8") as file:
            return loads(file.read())
    except (OSError, ValueError) as error:
        raise AgentError(f"cannot read {path}: {error}") from error


def parse_boot(value: object) -> Boot:
    """Check every field; raises AgentError with the key, its value and what was expected."""
    fields = Fields(value, "boot.json")
    version = fields.anything("version")
    if version != 1:
        raise AgentError(f"boot.json: version is {version!r}, this agent knows 1")
    restore, deploy = fields.anything("restore"), fields.anything("deploy")
    aws = fields.anything("aws")
    health_url = fields.anything("health_url")
    if health_url is not None and not isinstance(health_url, str):
        raise AgentError(f"boot.json: health_url is {health_url!r}, expected a string or null")
    provision = fields.anything("provision")
    boot = Boot(
        machine=fields.text("machine"),
        environment=fields.text("environment"),
        branch=fields.text("branch"),
        signal_url=fields.text("signal_url"),
        deadline_s=fields.seconds("deadline_s"),
        services=fields.texts("services"),
        drill=fields.truth("drill"),
        restore=None if restore is None else _restore(Fields(restore, "boot.json: restore")),
        deploy=None if deploy is None else _deploy(Fields(deploy, "boot.json: deploy")),
        checks=tuple(
            _check(Fields(item, f"boot.json: checks[{index}]"))
            for index, item in enumerate(fields.items("checks"))
        ),
        aws=None if aws is None else _aws(aws),
        health_url=health_url,
        provision=None if provision is None else _provision(provision),
    )
    fields.end()
    return boot


def _aws(value: object) -> Aws:
    from .aws_config import parse_aws

    return parse_aws(value)


def _restore(fields: Fields) -> Restore:
    restore = Restore(
        engine=fields.text("engine"),
        directory=fields.text("directory"),
        service=fields.text("service"),
        database=fields.text("database"),
        user=fields.text("user"),
        mode=fields.text("mode"),
        source=fields.optional_text("source"),
        bucket_url=fields.optional_text("bucket_url"),
        manifest_key=fields.optional_text("manifest_key"),
    )
    fields.end()
    if restore.engine != "mariadb":
        raise AgentError(f"boot.json: restore: engine is {restore.engine!r}, expected 'mariadb'")
    if restore.mode not in MODES:
        expected = ", ".join(MODES)
        raise AgentError(f"boot.json: restore: mode is {restore.mode!r}, expected {expected}")
    if restore.mode == "cold" and None in (restore.bucket_url, restore.manifest_key):
        raise AgentError("boot.json: restore: mode cold needs bucket_url and manifest_key")
    return restore


def _deploy(fields: Fields) -> Deploy:
    deploy = Deploy(
        bucket_url=fields.text("bucket_url"),
        keys=fields.texts("keys"),
        directory=fields.text("directory"),
        restart=fields.texts("restart"),
        keep=fields.text_by_name("keep"),
        mounted=fields.truth("mounted"),
    )
    fields.end()
    return deploy


def _provision(value: object) -> Provision:
    fields = Fields(value, "boot.json: provision")
    puppet = fields.anything("puppet")
    provision = Provision(
        commands=fields.texts("commands"),
        puppet=None if puppet is None else _puppet(Fields(puppet, "boot.json: puppet")),
    )
    fields.end()
    return provision


def _puppet(fields: Fields) -> Puppet:
    puppet = Puppet(
        bucket_url=fields.text("bucket_url"),
        key=fields.text("key"),
        version=fields.text("version"),
        manifest=fields.text("manifest"),
        buckets=fields.text_by_name("buckets"),
    )
    fields.end()
    return puppet


def _check(fields: Fields) -> Check:
    kind = fields.text("kind")
    check: Check
    if kind == "http":
        check = HttpCheck(
            path=fields.text("path"),
            port=fields.whole("port"),
            status=fields.whole("status"),
            contains=fields.text("contains"),
            deadline_s=fields.seconds("deadline_s"),
        )
    elif kind == "tcp":
        check = TcpCheck(port=fields.whole("port"), deadline_s=fields.seconds("deadline_s"))
    elif kind == "command":
        check = CommandCheck(argv=fields.texts("argv"), deadline_s=fields.seconds("deadline_s"))
    else:
        raise AgentError(f"boot.json: checks: kind is {kind!r}, expected http, tcp or command")
    fields.end()
    return check


def account_of(config: Boot, paths: Paths) -> Account | None:
    """What signs a machine's requests to AWS; None in a local region."""
    if config.aws is None:
        return None
    from .account import Account
    from .metadata import Metadata

    return Account(config.aws.region, Metadata(paths.metadata_url))
