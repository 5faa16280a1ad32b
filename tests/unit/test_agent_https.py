"""What AWS is spoken to with: the agent's requests over TLS, as S3 receives them."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src"
PRESIGNED = "/arn%3Aaws%3Acloudformation/handle?X-Amz-Signature=a%2Bb&AWSAccessKeyId=K"


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for localhost with its key, in one file."""
    folder = tmp_path_factory.mktemp("tls")
    argv = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    argv += ["-nodes", "-days", "2", "-subj", "/CN=localhost"]
    argv += ["-addext", "subjectAltName=DNS:localhost", "-keyout", "key.pem", "-out", "cert.pem"]
    subprocess.run(argv, cwd=folder, check=True, capture_output=True)
    return folder


class Server:
    """What was asked, and the status that is answered."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, str, dict[str, str], bytes]] = []
        self.status = 200
        self.url = ""


@pytest.fixture
def server(certificate: Path):
    found = Server()

    class Handler(BaseHTTPRequestHandler):
        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            found.asked.append((self.command, self.path, dict(self.headers), body))
            content = b"content" if found.status == 200 else b"<Code>AccessDenied</Code>"
            self.send_response(found.status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_PUT = do_POST = answer  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    listening = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    found.url = f"https://localhost:{listening.server_address[1]}"
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield found
    listening.shutdown()
    thread.join()
    listening.server_close()


def agent(certificate: Path, code: str, *words: str) -> str:
    """Run the agent's code in a process that trusts the certificate."""
    done = subprocess.run(
        [sys.executable, "-c", f"import sys, time\n{code}", *words],
        env={
            **os.environ,
            "PYTHONPATH": str(SOURCE),
            "SSL_CERT_FILE": str(certificate / "cert.pem"),
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    return (done.stdout + done.stderr).strip()


SIGNAL = """
from greenroom.agent.wait_handle import send_signal
try:
    send_signal(sys.argv[1], b'{"Status": "SUCCESS"}', time.monotonic() + 20)
except Exception as error:
    print(type(error).__name__)
"""


def test_a_presigned_handle_gets_its_url_to_the_byte_and_no_content_type(certificate, server):
    assert agent(certificate, SIGNAL, server.url + PRESIGNED) == ""
    ((method, path, headers, body),) = server.asked
    assert (method, path, json.loads(body)) == ("PUT", PRESIGNED, {"Status": "SUCCESS"})
    assert headers["Content-Type"] == ""
    assert headers["Content-Length"] == str(len(body))
    assert "Authorization" not in headers


def test_a_handle_that_is_over_is_asked_once(certificate, server):
    server.status = 403
    assert agent(certificate, SIGNAL, server.url + PRESIGNED) == "RefusedError"
    assert len(server.asked) == 1


READ = """
from greenroom.agent.bucket import Bucket
from greenroom.agent.sigv4 import Credentials, signed_headers
class Signing:
    def headers(self, service, method, url):
        keys = Credentials(access_key="A", secret_key="s", token="t", expires_at="2999")
        return signed_headers(keys, method=method, url=url, region="eu-west-1", service=service,
                              body=b"", at="20261123T070000Z")
bucket = Bucket(url=sys.argv[1] + "/code", account=Signing())
try:
    print(bucket.read("a b.tar"), bucket.fetch("a b.tar", sys.argv[2]).size)
except Exception as error:
    print(type(error).__name__)
"""


def test_objects_are_asked_for_with_every_signed_header(certificate, server, tmp_path):
    assert agent(certificate, READ, server.url, str(tmp_path / "x")) == "b'content' 7"
    assert (tmp_path / "x").read_bytes() == b"content"
    assert [asked[:2] for asked in server.asked] == [("GET", "/code/a%20b.tar")] * 2
    for _, _, headers, _ in server.asked:
        given = {name.lower(): value for name, value in headers.items()}
        signed = given["authorization"].partition("SignedHeaders=")[2].partition(",")[0]
        assert all(name in given for name in signed.split(";"))
        assert given["host"] == server.url.removeprefix("https://")


def test_a_denied_object_is_told_apart_over_tls_too(certificate, server, tmp_path):
    server.status = 403
    assert agent(certificate, READ, server.url, str(tmp_path / "x")) == "DeniedError"


def test_a_server_that_nobody_vouches_for_is_not_spoken_to(certificate, server, tmp_path):
    (tmp_path / "cert.pem").write_text("")
    said = agent(tmp_path, READ, server.url, str(tmp_path / "x"))
    assert said == "AgentError"
    assert server.asked == []
