"""Systems Manager over HTTP: runs what is sent to a machine with this host's own shell, below a
folder that stands for the machine's root."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

OUTPUT_MAX = 24_000


class SessionManager:
    """``online`` maps an instance to its agent's state; one that is not in it is not managed.
    ``late`` answers say InvocationDoesNotExist first, as AWS does right after a SendCommand."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.online: dict[str, str] = {}
        self.late = 1
        self.asked: list[tuple[str, dict[str, Any]]] = []
        self.results: dict[str, dict[str, Any]] = {}
        manager = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                action = self.headers["X-Amz-Target"].rpartition(".")[2]
                status, answer = manager.answer(action, body)
                text = json.dumps(answer).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(text)))
                self.end_headers()
                self.wfile.write(text)

            def log_message(self, format: str, *args: object) -> None:
                return

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_port}"

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def answer(self, action: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        self.asked.append((action, body))
        match action:
            case "DescribeInstanceInformation":
                instance = body["Filters"][0]["Values"][0]
                state = self.online.get(instance)
                known = [{"InstanceId": instance, "PingStatus": state}] if state else []
                return 200, {"InstanceInformationList": known}
            case "SendCommand":
                return 200, {"Command": {"CommandId": self._run(body)}}
            case "GetCommandInvocation":
                if self.late > 0:
                    self.late -= 1
                    return 400, {"__type": "InvocationDoesNotExist"}
                return 200, self.results[body["CommandId"]]
            case "StartSession":
                return 200, {
                    "SessionId": "s-1",
                    "TokenValue": "secret",
                    "StreamUrl": "wss://example.com/s-1",
                }
            case _:
                return 400, {"__type": "InvalidAction", "message": action}

    def _run(self, body: dict[str, Any]) -> str:
        assert body["DocumentName"] == "AWS-RunShellScript"
        (script,) = body["Parameters"]["commands"]
        done = subprocess.run(
            ["/bin/sh", "-c", script],
            capture_output=True,
            text=True,
            check=False,
            env={**os.environ, "GREENROOM_AGENT_ROOT": str(self.root)},
        )
        command = f"{len(self.results):036d}"
        self.results[command] = {
            "Status": "Success" if done.returncode == 0 else "Failed",
            "ResponseCode": done.returncode,
            "StandardOutputContent": done.stdout[:OUTPUT_MAX],
            "StandardErrorContent": done.stderr[:OUTPUT_MAX],
        }
        return command
