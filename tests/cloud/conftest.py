"""An AWS account per test: moto and a CloudFormation of our own behind one endpoint."""

from __future__ import annotations

import os
from collections.abc import Iterator

import botocore.session
import pytest
from botocore.loaders import create_loader
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

from tests.cloud.fake.account import Account
from tests.cloud.fake.server import Server


@pytest.fixture(scope="session", autouse=True)
def one_reading_of_aws() -> Iterator[None]:
    """botocore's descriptions of the services are read once for all sessions of this process: each
    test begins a session, and EC2's description alone is thirty megabytes of JSON."""
    loader = create_loader()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(botocore.session, "create_loader", lambda _search_path: loader)
        yield


@pytest.fixture(scope="session")
def aws_server() -> Iterator[Account]:
    """One server for all tests of this process: starting moto costs about a second."""
    made = Account()
    yield made
    made.close()


@pytest.fixture(scope="session")
def moto_server() -> Iterator[Server]:
    """moto alone, its own CloudFormation included; it shares the account with the fake."""
    made = Server(DomainDispatcherApplication(create_backend_app))
    yield made
    made.close()


@pytest.fixture
def account(aws_server: Account, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    """A fresh account, which the environment's variables point at."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in aws_server.environment.items():
        monkeypatch.setenv(name, value)
    aws_server.reset()
    yield aws_server
    aws_server.close_engine()
    assert aws_server.engine.bugs == []
