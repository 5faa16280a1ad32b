"""A boot script as a template carries it: its marks replaced by what only CloudFormation knows."""

from __future__ import annotations

import re

from troposphere import Base64, Join, Ref

from greenroom.errors import InputError
from greenroom.model.cloud import PRIVATE_ZONE_MARK, wait_handle_mark
from greenroom.model.stack import Machine

USER_DATA_BYTES_MAX = 16384
"""EC2's limit before base64 (EC2 guide, "Run commands when you launch an instance")."""

HANDLE_URL_BYTES = 1024
"""Room for a wait handle's URL: a presigned S3 URL with the stack's ARN in it. Those seen in
AWS's guides have 300 to 700 characters."""

ZONE_ID_BYTES = 32
"""Longest id of a hosted zone (Route53 API, ResourceId)."""


def encoded_user_data(machine: Machine, handle_id: str, zone: object) -> Base64:
    """The boot script as ``Fn::Base64``; ``zone`` is the private zone's id, or its Ref.

    Raises InputError E_USER_DATA if it could be too long once CloudFormation has filled it in.
    """
    marks = {wait_handle_mark(machine.name): Ref(handle_id), PRIVATE_ZONE_MARK: zone}
    pattern = "|".join(re.escape(mark) for mark in marks)
    pieces = [piece for piece in re.split(f"({pattern})", machine.user_data) if piece]
    _refuse_too_long(machine, pieces)
    return Base64(Join("", [marks.get(piece, piece) for piece in pieces]))


def _refuse_too_long(machine: Machine, pieces: list[str]) -> None:
    room = {wait_handle_mark(machine.name): HANDLE_URL_BYTES, PRIVATE_ZONE_MARK: ZONE_ID_BYTES}
    length = sum(room.get(piece, len(piece.encode())) for piece in pieces)
    if length > USER_DATA_BYTES_MAX:
        raise InputError(
            "E_USER_DATA",
            f"the user data of {machine.name} has up to {length} bytes with the URL of its wait "
            f"handle; EC2 allows {USER_DATA_BYTES_MAX}",
            hint=f"shorten the checks of {machine.type}, or move their commands into the image",
        )
