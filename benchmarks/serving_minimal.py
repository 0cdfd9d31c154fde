"""What `skconv serve` is measured against: the same model file and the same work on each image, behind FastAPI alone.

No queue of bounded length, no limit of any kind, no log. Argument: the port.
"""

from __future__ import annotations

import sys

import uvicorn
from fastapi import FastAPI, Request
from starlette.concurrency import run_in_threadpool

from skconv import OnnxClassifier
from skconv.images.opening import decode_image

reader = OnnxClassifier("digits", threads=1)
app = FastAPI()


def answer(body: bytes) -> dict:
    row = reader.predict_proba(reader.image_spec.fit(decode_image(body, "image"))[None])[0]
    return {"label": reader.class_names[int(row.argmax())], "confidence": float(row.max())}


@app.post("/v1/predict")
async def predict(request: Request) -> dict:
    return await run_in_threadpool(answer, await request.body())


@app.get("/readyz")
def ready() -> str:
    return "ok"


if __name__ == "__main__":
    uvicorn.run(app, port=int(sys.argv[1]), log_level="error")
