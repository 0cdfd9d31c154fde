"""Fit and load a network of a hub on this machine, then without it; print what was found as JSON.

Arguments: folder of the model in the hub, working folder.
"""

import hashlib
import http.server
import json
import os
import sys
import threading
import time
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL, WORK = Path(sys.argv[1]), Path(sys.argv[2])
requested = []


class Hub(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        requested.append(self.path)
        commit = {"X-Repo-Commit": COMMIT}
        owner, name, _, revision, file = [*self.path.strip("/").split("/", 4), "", "", "", "", ""][:5]
        if (owner, name) != ("me", "tiny") or revision not in ("main", COMMIT):
            self.reply(404, b"", {"X-Error-Code": "RepoNotFound"})
        elif not (MODEL / file).is_file():
            self.reply(404, b"", {"X-Error-Code": "EntryNotFound", **commit})
        else:
            content = (MODEL / file).read_bytes()
            self.reply(200, content, {"ETag": f'"{hashlib.sha256(content).hexdigest()}"', **commit})

    do_HEAD = do_GET

    def reply(self, status, content, headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(content)), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)

    def log_message(self, *arguments):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
threading.Thread(target=server.serve_forever, daemon=True).start()
os.environ.update(
    HF_ENDPOINT=f"http://127.0.0.1:{server.server_port}", HF_HOME=str(WORK / "hf"), HF_HUB_DISABLE_XET="1"
)

import numpy as np  # noqa: E402

from skconv import CNNClassifier  # noqa: E402
from skconv.exceptions import SkconvError  # noqa: E402
from skconv.networks.hub_files import pin_revision  # noqa: E402


def fit(network):
    try:
        classifier = CNNClassifier(network, max_epochs=1, learning_rate=1e-9, validation_fraction=0.0, random_state=0)
        return classifier.fit(images, np.arange(20) % 2)
    except SkconvError as error:
        return str(error)


images = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
online = fit("hf:me/tiny")
online.save(WORK / "model")
found = {
    "requested": requested.copy(),
    "loaded": len(online.loaded_weights_),
    "pinned": pin_revision("hf:me/tiny", {"size": 32}),
    "unknown": fit("hf:me/none"),
    "saved": json.loads((WORK / "model/config.json").read_text())["network"],
}
server.shutdown()
server.server_close()
expected = online.predict_proba(images)
found["from_cache"] = bool(np.array_equal(fit("hf:me/tiny").predict_proba(images), expected))
for path in (WORK / "hf").rglob("*"):
    if path.is_file():
        path.unlink()
found["loaded_equal"] = bool(np.array_equal(CNNClassifier.load(WORK / "model").predict_proba(images), expected))
start = time.monotonic()
found["offline"] = fit("hf:me/tiny")
found["offline_seconds"] = time.monotonic() - start
print(json.dumps(found))
