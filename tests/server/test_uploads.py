"""Bodies that arrive too slowly or not completely."""

import asyncio

import pytest
from starlette.exceptions import HTTPException
from starlette.requests import Request

from skconv.server.settings import ServerSettings
from skconv.server.uploads import read_uploads


async def never():
    await asyncio.sleep(60)


async def disconnect():
    return {"type": "http.disconnect"}


@pytest.mark.parametrize(("receive", "status"), [(never, 408), (disconnect, 400)])
def test_incomplete_body_raises(receive, status):
    scope = {"type": "http", "method": "POST", "headers": [(b"content-type", b"image/png")]}
    with pytest.raises(HTTPException) as error:
        asyncio.run(read_uploads(Request(scope, receive), ServerSettings(timeout=1)))
    assert error.value.status_code == status
