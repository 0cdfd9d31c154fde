"""Connections without a complete request, on raw sockets."""

import contextlib
import socket
import time
from concurrent.futures import ThreadPoolExecutor
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
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(socket.create_connection((address.hostname, address.port), timeout=10))


def receive_all(connection):
    """Return the bytes that arrive until the server closes the connection."""
    return b"".join(iter(lambda: connection.recv(65536), b""))


# name: (bytes sent, status codes received before the connection is closed)
INCOMPLETE = {
    "nothing": (b"", []),
    "half a line": (GET[:20], []),
    "half a header": (GET[:-2], []),
    "one request": (GET, [b"200"]),
    "another half": (GET + GET[:20], [b"200"]),
    "half a body": (POST, [b"408"]),
    "body of GET": (GET.replace(b"\r\n\r\n", b"\r\nContent-Length: 9\r\n\r\nhalf"), [b"200"]),
}


def test_connections_without_complete_request_are_closed_after_the_timeout(connect):
    def send(sent):
        connection = connect()
        start = time.monotonic()
        connection.sendall(sent)
        lines = receive_all(connection).splitlines()
        return [line.split()[1] for line in lines if line.startswith(b"HTTP/1.1")], time.monotonic() - start

    with ThreadPoolExecutor(len(INCOMPLETE)) as pool:  # all at once, because each waits for the timeout
        results = dict(zip(INCOMPLETE, pool.map(send, [sent for sent, _ in INCOMPLETE.values()]), strict=True))
    assert {name: statuses for name, (statuses, _) in results.items()} == {
        name: statuses for name, (_, statuses) in INCOMPLETE.items()
    }
    assert [name for name, (_, seconds) in results.items() if not 0.9 < seconds < 8] == []


def test_headers_sent_byte_by_byte_do_not_extend_the_timeout(connect):
    connection = connect()
    with pytest.raises(ConnectionError):
        for byte in b"GET / HTTP/1.1\r\nX: " + b"a" * 500:
            connection.sendall(bytes([byte]))
            time.sleep(0.02)


def test_requests_on_one_connection_are_answered_beyond_the_timeout(hasty):
    ports = set()
    with hasty.connect() as connection:
        for pause in (0, 0.3, 0.3, 0.3, 0.3):
            time.sleep(pause)
            connection.request("GET", "/livez")
            response = connection.getresponse()
            assert response.read() == b"ok" and response.version == 11
            ports.add(connection.sock.getsockname()[1])
        assert len(ports) == 1  # the client opens another connection if the server closes one


def test_header_without_end_is_refused_after_64_kib(connect):
    connection = connect()
    start = time.monotonic()
    with pytest.raises(ConnectionError):
        connection.sendall(b"GET / HTTP/1.1\r\n")
        for _ in range(400):
            connection.sendall(b"X: " + b"a" * 1000 + b"\r\n")
            time.sleep(0.001)
        connection.sendall(receive_all(connection) or b"closed")
        connection.sendall(b"closed")
    assert time.monotonic() - start < 5


def test_client_that_does_not_read_is_disconnected_after_the_timeout(hasty):
    address = urlsplit(hasty.url)
    n_requests = 2000
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.settimeout(0.5)
        connection.connect((address.hostname, address.port))
        with contextlib.suppress(TimeoutError, ConnectionError):
            for _ in range(n_requests):
                connection.sendall(GET.replace(b"livez", b"openapi.json"))
        time.sleep(3)
        received = bytearray()
        with contextlib.suppress(ConnectionError, TimeoutError):
            while block := connection.recv(2**16):
                received += block
        assert received.count(b"HTTP/1.1 200") < n_requests / 2
        with pytest.raises(ConnectionError):
            for _ in range(10):
                connection.sendall(GET)
                time.sleep(0.05)
    assert hasty.get("/livez").status_code == 200
