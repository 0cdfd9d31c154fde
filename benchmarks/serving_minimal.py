"""Starlette server with the bundled digit model, as a baseline for `skconv serve`.

    python benchmarks/serving_minimal.py PORT

It has no queue, no limits and no log.
"""

from __future__ import annotations

import sys

import uvicorn
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse
from starlette.routing import Route

from skconv import OnnxClassifier
from skconv.images.opening import decode_image

classifier = OnnxClassifier("digits", threads=1)


def classify(body: bytes) -> dict:
    row = classifier.predict_proba(classifier.image_spec.preprocess(decode_image(body, "image"))[None])[0]
    return {"label": classifier.class_names[int(row.argmax())], "confidence": float(row.max())}


async def predict(request: Request) -> JSONResponse:
    return JSONResponse(await run_in_threadpool(classify, await request.body()))


async def ready(_: Request) -> PlainTextResponse:
    return PlainTextResponse("ok")


app = Starlette(routes=[Route("/v1/predict", predict, methods=["POST"]), Route("/readyz", ready)])

if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
