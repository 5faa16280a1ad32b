"""An AWS account in this process: CloudFormation of our own, moto for everything else (ADR 0028).

account  starts the server, seeds the account, and hands out endpoints and boto3 clients
server   one HTTP server: routes a call to the fake, to a wait handle, or to moto
calls    which AWS action a request is, and the log of them
faults   what a test breaks: throttling, denials, cut connections, failing resources
clock    the account's time, which a test moves forward
query    the Query protocol, both ways, by botocore's own model of the service
records  what CloudFormation remembers of stacks, resources, events and change sets
template parameters, conditions, functions and dependencies of a template
changes  what an update would do to each resource
handles  wait handles: the URLs and what was signalled to them
engine   creates, updates, rolls back and deletes stacks
actions  the API's actions
kinds*   how each resource type is made in the account
"""

import os
from pathlib import Path

# moto makes a thousand images in each region that is asked for, 0.15 s for every test, unless it
# is told of a few: those of Debian, which examples/photos boots.
os.environ.setdefault("MOTO_AMIS_PATH", str(Path(__file__).with_name("images.json")))
