"""The outermost layer, by itself."""

import asyncio
import json
from types import SimpleNamespace

from skconv.server.metrics import Metrics
from skconv.server.middleware import RequestMiddleware
from skconv.server.settings import ServerSettings


def test_request_that_the_end_of_the_service_cuts_off_is_told_so(tmp_path):
    async def think(scope, receive, send):
        await asyncio.sleep(60)

    async def cut_off():
        entry = RequestMiddleware(think, SimpleNamespace(settings=ServerSettings()), Metrics(tmp_path))
        sent = []

        async def send(message):
            sent.append(message)

        request = asyncio.create_task(entry({"type": "http", "path": "/v1/model", "method": "GET"}, None, send))
        await asyncio.sleep(0)
        request.cancel()
        await request
        return sent

    start, body = asyncio.run(cut_off())
    assert start["status"] == 503
    assert "ends" in json.loads(body["body"])["detail"]
