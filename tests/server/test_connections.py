"""Connections without a complete request, on raw sockets."""

import socket
import time
from contextlib import ExitStack
from urllib.parse import urlsplit

import pytest

from .conftest import run_server

GET = b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n"
POST = b"POST /v1/predict HTTP/1.1\r\nHost: a\r\nContent-Type: image/png\r\nContent-Length: 99\r\n\r\nhalf"


@pytest.fixture(scope="module")
def hasty(tmp_path_factory):
    """A service with a timeout of one second."""
    with run_server(tmp_path_factory.mktemp("hasty"), "--timeout", "1") as server:
        yield server


@pytest.fixture
def connect(hasty):
    """Return a function that opens a connection."""
    address = urlsplit(hasty.url)
    with ExitStack() as stack:
        yield lambda: stack.enter_context(socket.create_connection((address.hostname, address.port), timeout=10))


def receive_all(connection):
    """Return the bytes that arrive until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


@pytest.mark.parametrize(
    ("sent", "statuses"),
    [
        (b"", []),
        (GET[:20], []),
        (GET[:-2], []),
        (GET, [b"200"]),
        (GET + GET[:20], [b"200"]),
        (POST, [b"408"]),
        (GET.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\nhalf"), [b"200"]),
    ],
    ids=["nothing", "half a line", "half a header", "one request", "another half", "half a body", "body of GET"],
)
def test_connection_without_complete_request_is_closed_after_the_timeout(sent, statuses, connect):
    connection = connect()
    start = time.monotonic()
    connection.sendall(sent)
    received = receive_all(connection)
    assert [line.split()[1] for line in received.splitlines() if line.startswith(b"HTTP/1.1")] == statuses
    assert 0.9 < time.monotonic() - start < 8


def test_headers_sent_byte_by_byte_do_not_extend_the_timeout(connect):
    connection = connect()
    with pytest.raises(ConnectionError):
        for byte in b"GET / HTTP/1.1\r\nX: " + b"a" * 500:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)


def test_requests_on_one_connection_are_answered_beyond_the_timeout(hasty):
    ports = set()
    with hasty.connect() as connection:
        for _ in range(4):
            connection.request("GET", "/livez")
            response = connection.getresponse()
            assert response.read() == b"ok" and response.version == 11
            ports.add(connection.sock.getsockname()[1])
            time.sleep(0.5)
        assert len(ports) == 1  # the client opens another connection if the server closes one
