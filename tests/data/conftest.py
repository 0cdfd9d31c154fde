"""A local web server, and fixtures shared with the tests of competitions."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from ..data_fixtures import cache, digits, make_competition, samples  # noqa: F401

Response = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """Sends the responses that a test sets for each path, and records the requested paths."""

    def __init__(self) -> None:
        self.responses: dict[str, list[Response]] = {}
        self.requests: list[str] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.requests.append(self.path)
                responses = server.responses.get(self.path, [])
                if not responses:
                    self.send_error(404)
                    return
                (responses.pop(0) if len(responses) > 1 else responses[0])(self)

            def log_message(self, *_: object) -> None:
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.address = f"http://127.0.0.1:{self.http.server_port}"

    def put(self, path: str, *responses: bytes | Response) -> str:
        """Set the responses to `path`, one per request, the last for all further requests; return its URL."""
        self.responses[path] = [send(each) if isinstance(each, bytes) else each for each in responses]
        return self.address + path


def send(content: bytes, cut: int | None = None, status: int = 200) -> Response:
    """Return a response with the length of `content` in its header and the first `cut` bytes of it."""

    def respond(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:cut])

    return respond


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """Run a web server on the loopback interface."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Server()
    thread = threading.Thread(target=running.http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    yield running
    running.http.shutdown()
    running.http.server_close()
    thread.join()


@pytest.fixture
def truncated() -> Callable[[bytes], Response]:
    """Return a function that makes a response with the whole length in its header and half of the content."""
    return lambda content: send(content, cut=len(content) // 2)
