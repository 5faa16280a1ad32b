"""AWS's Price List Query API as a small server on loopback: real boto3 talks to it."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.unit.price_offers import API_NAMES, Row, entry

PAGE = 2


class PriceApi:
    """Answers GetProducts from ``rows`` in pages of two; ``broken`` spoils the document of a
    region's answers, ``refused`` is an error's type for every call."""

    def __init__(self, rows: Sequence[Row]) -> None:
        self.rows = list(rows)
        self.asked: list[Mapping[str, Any]] = []
        self.broken: Callable[[Mapping[str, Any]], Mapping[str, Any]] = lambda document: document
        self.refused: str | None = None

    def answer(self, target: str, body: Mapping[str, Any]) -> tuple[int, Mapping[str, Any]]:
        self.asked.append(body)
        if target != "AWSPriceListService.GetProducts" or body["ServiceCode"] != "AmazonEC2":
            return 400, {"__type": "InvalidParameterException", "Message": target}
        if self.refused is not None:
            return 400, {"__type": self.refused, "Message": "no"}
        found = [row for row in self.rows if _matches(row, body["Filters"])]
        start = int(body.get("NextToken", "0"))
        document: dict[str, Any] = {
            "FormatVersion": "aws_v1",
            "PriceList": [entry(row) for row in found[start : start + PAGE]],
        }
        if start + PAGE < len(found):
            document["NextToken"] = str(start + PAGE)
        return 200, self.broken(document)


def _matches(row: Row, filters: Sequence[Mapping[str, str]]) -> bool:
    columns = {ours: theirs for theirs, ours in API_NAMES.items()}
    columns["productFamily"] = "Product Family"
    return all(
        each["Type"] == "TERM_MATCH" and row.get(columns[each["Field"]], "") == each["Value"]
        for each in filters
    )


@contextmanager
def serving(api: PriceApi) -> Iterator[str]:
    """The URL at which ``api`` answers."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            body = json.loads(self.rfile.read(length))
            status, document = api.answer(self.headers["X-Amz-Target"], body)
            payload = json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.1")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: object) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
