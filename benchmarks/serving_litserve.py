"""LitServe server with the bundled digit model, as a comparison for `skconv serve`.

    python benchmarks/serving_litserve.py PORT

Images are sent in base64 inside JSON, as LitServe takes its requests.
"""

from __future__ import annotations

import base64
import sys

import litserve
import numpy as np

from skconv import OnnxClassifier
from skconv.images.opening import decode_image


class DigitApi(litserve.LitAPI):
    def setup(self, device: str) -> None:
        self.classifier = OnnxClassifier("digits", threads=1)
        self.classifier.predict_proba(np.zeros((1, 28, 28), np.uint8))

    def decode_request(self, request: dict) -> np.ndarray:
        return self.classifier.image_spec.preprocess(decode_image(base64.b64decode(request["image"]), "image"))

    def batch(self, inputs: list[np.ndarray]) -> np.ndarray:
        return np.stack(inputs)

    def predict(self, images: np.ndarray) -> np.ndarray:
        # LitServe passes a single image without the batch axis.
        return self.classifier.predict_proba(images if images.ndim == 3 else images[None])

    def unbatch(self, rows: np.ndarray) -> list[np.ndarray]:
        return list(rows)

    def encode_response(self, row: np.ndarray) -> dict:
        return {"label": self.classifier.class_names[int(row.argmax())], "confidence": float(row.max())}


if __name__ == "__main__":
    api = DigitApi(max_batch_size=16, batch_timeout=0.002, api_path="/v1/predict")
    server = litserve.LitServer(api, accelerator="cpu", healthcheck_path="/readyz")
    server.run(host="127.0.0.1", port=int(sys.argv[1]), log_level="error", generate_client_file=False)
