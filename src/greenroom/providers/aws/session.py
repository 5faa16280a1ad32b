"""The one door to AWS: a boto3 session by the ordinary chain, and every call through ``call``.

Credentials are the caller's own: environment, shared configuration, SSO, container or instance
role, whatever boto3 finds (boto3 guide, "Credentials"). None of them is read here.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import boto3
import botocore.session
from botocore import exceptions, xform_name
from botocore.config import Config
from botocore.parsers import ResponseParserError

from greenroom import __version__
from greenroom.errors import GreenroomError, OperationError
from greenroom.providers.aws.errors import (
    Asked,
    ThrottledError,
    UnreachableError,
    no_region,
    translated,
    unknown_profile,
    unknown_region,
)

Reply = Mapping[str, Any]
"""What an API answers. Untyped: whoever asked parses it at once."""

CONNECT_TIMEOUT_S = 10
READ_TIMEOUT_S = 60
ATTEMPTS = 3
"""boto3's own attempts at a call, before it is our patience's turn."""

THROTTLE_PATIENCE_S = 300.0
"""How long a throttled call is tried again before it is an error."""
BACKOFF_FIRST_S = 1.0
BACKOFF_MAX_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Who asks, and where: flags and environment; None is left to boto3's ordinary chain."""

    region: str | None = None
    profile: str | None = None


class Account:
    """An account in one region.

    ``wait`` sleeps (a caller may end it early by raising); ``tell`` gets what a person should
    know while a call is being patient.
    """

    def __init__(
        self,
        access: Access,
        *,
        wait: Callable[[float], None] = time.sleep,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Raises InputError for an unknown profile, and where no region is named."""
        self._session = _session(access)
        region = access.region or self._session.region_name
        if region is None:
            raise no_region()
        self.region: str = region
        self.wait = wait
        self.tell = tell
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()

    def call(self, service: str, operation: str, *, about: str = "", **parameters: Any) -> Reply:
        """One API operation, by the names that AWS's reference uses; ``about`` names its subject
        for errors.

        Throttling is waited out for THROTTLE_PATIENCE_S. Raises GreenroomError, an AnswerError
        for a plain no of AWS's.
        """
        asked = Asked(service=service, operation=operation, region=self.region, subject=about)
        method = getattr(self.client(service), xform_name(operation))
        return self._patiently(asked, lambda: method(**parameters))

    def pages(
        self,
        service: str,
        operation: str,
        *,
        about: str = "",
        token: tuple[str, str] = ("NextToken", "NextToken"),
        **parameters: Any,
    ) -> Iterator[Reply]:
        """All pages of a listing; ``token`` names the token in the reply and in the request."""
        reply = self.call(service, operation, about=about, **parameters)
        yield reply
        while reply.get(token[0]):
            following = {**parameters, token[1]: reply[token[0]]}
            reply = self.call(service, operation, about=about, **following)
            yield reply

    def client(self, service: str) -> Any:
        """boto3's client, made when it is first needed (some 100 ms each); safe to share."""
        with self._lock:
            if service not in self._clients:
                self._clients[service] = self._new_client(service)
            return self._clients[service]

    def _new_client(self, service: str) -> Any:
        asked = Asked(service=service, operation="*", region=self.region)
        config = Config(
            connect_timeout=CONNECT_TIMEOUT_S,
            read_timeout=READ_TIMEOUT_S,
            retries={"mode": "adaptive", "total_max_attempts": ATTEMPTS},
            user_agent_extra=f"greenroom/{__version__}",
        )
        try:
            return self._session.client(service, region_name=self.region, config=config)
        except (exceptions.BotoCoreError, ValueError) as error:
            raise translated(error, asked) from error

    def _patiently(self, asked: Asked, ask: Callable[[], Reply]) -> Reply:
        began = time.monotonic()
        for pause_s in backoff():
            try:
                return ask()
            except (exceptions.ClientError, exceptions.BotoCoreError, ResponseParserError) as error:
                ours = self._judged(error, asked)
                if not isinstance(ours, ThrottledError):
                    raise ours from error
                spent_s = time.monotonic() - began
                if spent_s + pause_s > THROTTLE_PATIENCE_S:
                    raise _out_of_patience(ours, spent_s) from error
                self.tell(f"AWS throttles {asked}; asking again in {pause_s:.0f} s")
                self.wait(pause_s)
        raise AssertionError("backoff() does not end")

    def _judged(self, error: Exception, asked: Asked) -> GreenroomError:
        """As translated; but where nothing answers in a region that is not known, that is why."""
        ours = translated(error, asked)
        if isinstance(ours, UnreachableError) and isinstance(
            error, exceptions.EndpointConnectionError
        ):
            known = self._regions(asked.service)
            if known and self.region not in known:
                return unknown_region(self.region, known)
        return ours

    def _regions(self, service: str) -> tuple[str, ...]:
        return tuple(
            region
            for partition in self._session.get_available_partitions()
            for region in self._session.get_available_regions(service, partition)
        )


def backoff() -> Iterator[float]:
    """Seconds to wait before each further try: doubled up to BACKOFF_MAX_S, each between half and
    the whole of it by chance, so that many who were refused together do not come back together."""
    ceiling = BACKOFF_FIRST_S
    while True:
        yield ceiling * random.uniform(0.5, 1.0)
        ceiling = min(BACKOFF_MAX_S, ceiling * 2)


def _session(access: Access) -> Any:
    try:
        return boto3.Session(profile_name=access.profile, region_name=access.region)
    except exceptions.ProfileNotFound as error:
        known = tuple(botocore.session.Session().available_profiles)
        raise unknown_profile(str(error.kwargs["profile"]), known) from error


def _out_of_patience(error: ThrottledError, spent_s: float) -> OperationError:
    return OperationError(
        error.code, f"{error.message}; tried again for {spent_s:.0f} s", hint=error.hint
    )
