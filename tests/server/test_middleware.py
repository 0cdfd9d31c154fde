"""Request middleware, without a server."""

import asyncio
import json
from types import SimpleNamespace

from skconv.server.middleware import RequestMiddleware
from skconv.server.settings import ServerSettings


def test_request_cancelled_at_shutdown_returns_503():
    async def wait(scope, receive, send):
        await asyncio.sleep(60)

    async def cancel():
        middleware = RequestMiddleware(wait, SimpleNamespace(settings=ServerSettings()))
        sent = []

        async def send(message):
            sent.append(message)

        request = asyncio.create_task(middleware({"type": "http", "path": "/v1/model", "method": "GET"}, None, send))
        await asyncio.sleep(0)
        request.cancel()
        await request
        return sent

    start, body = asyncio.run(cancel())
    assert start["status"] == 503
    assert "shutting down" in json.loads(body["body"])["detail"]
