"""The whole stage: account, region and storage, and the command line that creates stacks there."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from greenroom.blueprint.parse import load_blueprint
from greenroom.model.names import EnvironmentName
from greenroom.model.stack import Stack
from greenroom.plan.images import all_images
from greenroom.providers.local.layout import SERVICE_ADDRESS
from greenroom.providers.local.network import open_listener
from tests.cloud.fake.account import Account
from tests.cloud.fake.handles import BUCKET
from tests.real.site import Site, wait_until
from tests.scenario.rehearsal.ground import REGION, SUBNET, Ground
from tests.scenario.rehearsal.instances import Instances
from tests.scenario.rehearsal.listening import relayed
from tests.scenario.rehearsal.metadata import MetadataService
from tests.scenario.rehearsal.names import PREFIX as ROUTE53
from tests.scenario.rehearsal.names import Names
from tests.scenario.rehearsal.resolved import Made
from tests.scenario.rehearsal.signatures import Asked, Caller
from tests.scenario.rehearsal.storage import Answer, Storage

AWS_REGION = "eu-west-1"
S3_URL = f"http://{SERVICE_ADDRESS}"
VPC = "rehearsal"
"""Its Name tag; its addresses are the local region's, so that instances can have them."""

_API_PORT = 4566
"""Where the account's APIs are inside the region, on its loopback."""
_OPERATOR = Caller(name="operator", access_key="AKIAREHEARSALOPERATR", secret="not so secret")
_TIMEOUT_S = 300
_FOLLOW_S = 60


class Theatre:
    """An account whose instances are real. Commands run inside the region: nothing of it is
    reachable on the host's network."""

    def __init__(self, site: Site) -> None:
        blueprint = load_blueprint(site.folder / "greenroom.yaml")
        self.site = site
        self.account = Account()
        self.names = Names(self._caller_with, self._hand_on)
        self.instances = Instances(all_images(blueprint), self._resources_of, self.names.written)
        self.storage = Storage(AWS_REGION, self._caller_with)
        self.signals: list[bytes] = []
        metadata = MetadataService(self.instances.at)
        self.ground = Ground(metadata.answer, self._serve)
        self.instances.ground = self.ground

    @contextmanager
    def opened(self) -> Iterator[Theatre]:
        """Open the account and the region, and let the region follow the account."""
        with ExitStack() as undo:
            undo.callback(self.account.close)
            self.account.reset(handles_url=S3_URL)
            self._make_network()
            undo.enter_context(self.ground.opened())
            listener = open_listener(self.ground.layout, "127.0.0.1", _API_PORT)
            undo.enter_context(relayed(listener, ("127.0.0.1", self._port())))
            self.account.on_instance(self.instances.launch)
            undo.enter_context(self.instances.following())
            yield self

    def stock(self, site: Site) -> None:
        """Put the site's artifacts and extracts into S3, in the place of what was there."""
        for bucket, folder in (("photos-code", "artifacts"), ("photos-extracts", "data")):
            for key in self.storage.keys(bucket):
                self.storage.remove(bucket, key)
            for path, key in _files(site.folder / folder):
                self.storage.put(bucket, key, path.read_bytes())

    def start(self, site: Site, *words: str) -> subprocess.Popen[str]:
        """Start the command line in the site's folder, as an operator of the account would."""
        return subprocess.Popen(
            ["ip", "netns", "exec", REGION.name, sys.executable, "-m", "greenroom.cli", *words],
            cwd=site.folder,
            env=self._environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, site: Site, *words: str) -> subprocess.CompletedProcess[str]:
        """The same, and wait for its end."""
        process = self.start(site, *words)
        try:
            out, err = process.communicate(timeout=_TIMEOUT_S)
        finally:
            process.kill()
        return subprocess.CompletedProcess(process.args, process.returncode, out, err)

    def stack(self, name: str) -> Any:
        """The last CloudFormation stack of that name, also a deleted one."""
        stacks = [s for s in self.account.engine.stacks.values() if s.name == name]
        return max(stacks, key=lambda stack: stack.created_at)

    def standing(self, name: str) -> Stack:
        """The machines of a CloudFormation stack, as the region has them."""
        return self.instances.stack(self.stack(name).stack_id)

    def zone_of(self, name: str) -> str:
        """The id of a stack's own hosted zone."""
        resources = self.stack(name).resources.values()
        return str(next(r.physical_id for r in resources if r.type == "AWS::Route53::HostedZone"))

    def destroy(self, environment: EnvironmentName) -> None:
        """Destroy by the command line, and wait until the region has followed."""
        stack = self.stack(f"greenroom-{environment.stack}-{environment.slug}")
        done = self.run(self.site, "destroy", "--provider", "aws", str(environment))
        history = [(event.logical_id, event.status, event.reason) for event in stack.events]
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{history}"
        assert stack.status == "DELETE_COMPLETE", history
        wait_until(lambda: environment not in self.instances.standing(), timeout_s=_FOLLOW_S)

    def wait_until_gone(self, *, but: EnvironmentName | None = None) -> None:
        """Wait until the region has followed the end of every stack, ``but`` that environment."""
        wait_until(lambda: self.instances.standing() <= {but}, timeout_s=_FOLLOW_S)

    def _make_network(self) -> None:
        ec2 = self.account.client("ec2")
        vpc = ec2.create_vpc(CidrBlock=REGION.cidr)["Vpc"]["VpcId"]
        ec2.create_tags(Resources=[vpc], Tags=[{"Key": "Name", "Value": VPC}])
        ec2.modify_vpc_attribute(VpcId=vpc, EnableDnsHostnames={"Value": True})
        ec2.create_subnet(VpcId=vpc, CidrBlock=SUBNET)

    def _environment(self) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {
            **kept,
            "AWS_ACCESS_KEY_ID": _OPERATOR.access_key,
            "AWS_SECRET_ACCESS_KEY": _OPERATOR.secret,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{_API_PORT}",
            "AWS_ENDPOINT_URL_S3": S3_URL,
            "AWS_ENDPOINT_URL_ROUTE_53": S3_URL,
        }

    def _caller_with(self, access_key: str) -> Caller | None:
        if access_key == _OPERATOR.access_key:
            return _OPERATOR
        return self.instances.caller_with(access_key)

    def _resources_of(self, stack_id: str) -> Iterable[Made]:
        engine = self.account.engine
        with engine.lock:
            return [
                Made(
                    logical_id=resource.logical_id,
                    type=resource.type,
                    physical_id=resource.physical_id,
                    properties=resource.properties,
                )
                for resource in engine.stacks[stack_id].resources.values()
                if resource.physical_id is not None and resource.status != "DELETE_COMPLETE"
            ]

    def _serve(self, asked: Asked, address: str) -> Answer:
        """S3, of which the bucket of the wait handles is CloudFormation's, and Route53."""
        if asked.target.startswith(BUCKET):
            self.signals.append(asked.body)
            return self._hand_on(asked)
        if asked.target.startswith(ROUTE53):
            return self.names.answer(asked)
        return self.storage.answer(asked)

    def _hand_on(self, asked: Asked) -> Answer:
        """Let the account answer, which gets the request to the byte."""
        connection = http.client.HTTPConnection("127.0.0.1", self._port(), timeout=10)
        try:
            kept = ("authorization", "content-type", "x-amz-date")
            headers = {name: asked.headers[name] for name in kept if name in asked.headers}
            connection.request(asked.method, asked.target, asked.body, headers)
            answer = connection.getresponse()
            given = {"Content-Type": answer.headers.get("Content-Type", "text/xml")}
            return Answer(status=answer.status, headers=given, body=answer.read())
        finally:
            connection.close()

    def _port(self) -> int:
        return int(self.account.url.rpartition(":")[2])


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Every file below ``folder``, with its key."""
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            yield path, str(path.relative_to(folder))
