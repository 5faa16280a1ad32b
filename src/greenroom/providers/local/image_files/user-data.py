"""The machine's first program: fetch the user data from the metadata service and run it.

It does for a local machine what cloud-init does on EC2, and keeps the script where cloud-init
keeps it. It speaks HTTP over a bare socket because importing a client would take longer than the
whole exchange.
"""

import os
import socket
import sys
import time

METADATA = ("169.254.169.254", 80)
KEPT_AT = "/var/lib/cloud/instance/user-data.txt"
PATIENCE_S = 30.0


def ask(method: str, path: str, *headers: str) -> bytes:
    """One request; returns the body. Raises OSError when there is no good answer."""
    with socket.create_connection(METADATA, timeout=5) as connection:
        lines = [f"{method} {path} HTTP/1.0", "Host: 169.254.169.254", "Content-Length: 0"]
        connection.sendall("\r\n".join([*lines, *headers, "", ""]).encode())
        answer = b""
        while chunk := connection.recv(65536):
            answer += chunk
    head, _, body = answer.partition(b"\r\n\r\n")
    if head.split(b" ", 2)[1:2] != [b"200"]:
        raise OSError(f"{method} {path}: {head[:60]!r}")
    return body


def fetch() -> bytes:
    """The user data, once the metadata service answers."""
    end = time.monotonic() + PATIENCE_S
    while True:
        try:
            lifetime = "X-aws-ec2-metadata-token-ttl-seconds: 300"
            token = ask("PUT", "/latest/api/token", lifetime).decode()
            return ask("GET", "/latest/user-data", f"X-aws-ec2-metadata-token: {token}")
        except OSError as error:
            if time.monotonic() > end:
                sys.exit(f"user-data: the metadata service does not answer: {error}")
            time.sleep(0.02)


def main() -> None:
    """Keep the script, then become it."""
    body = fetch()
    os.makedirs(os.path.dirname(KEPT_AT), exist_ok=True)
    with open(KEPT_AT, "wb") as file:
        file.write(body)
    os.chmod(KEPT_AT, 0o700)
    os.execv(KEPT_AT, [KEPT_AT])


main()
