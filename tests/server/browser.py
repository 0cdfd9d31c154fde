"""Headless Chromium, controlled over the DevTools protocol."""

import base64
import contextlib
import itertools
import json
import shutil
import subprocess
import time

import requests
import websocket

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")


def find_browser():
    """Return the path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)


@contextlib.contextmanager
def open_browser(folder):
    """Start a browser with its profile in `folder`; yield a function that opens a page."""
    process = subprocess.Popen(
        [
            find_browser(),
            "--headless=new",
            "--remote-debugging-port=0",
            "--remote-allow-origins=*",
            f"--user-data-dir={folder}",
            "--no-sandbox",
            "--no-first-run",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--use-fake-device-for-media-stream",
            "--use-fake-ui-for-media-stream",  # grants the permission to use the camera
            "about:blank",
        ],
        stderr=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
    )
    try:
        port_file = folder / "DevToolsActivePort"
        wait_for(lambda: port_file.exists() and port_file.read_text().count("\n") >= 1)
        port = port_file.read_text().splitlines()[0]
        with contextlib.ExitStack() as pages:

            def open_page(url, **view):
                target = requests.put(f"http://127.0.0.1:{port}/json/new?about:blank", timeout=60).json()
                page = BrowserPage(websocket.create_connection(target["webSocketDebuggerUrl"], timeout=60))
                pages.callback(page.close)
                page.open(url, **view)
                return page

            yield open_page
    finally:
        process.terminate()
        process.wait(30)


def wait_for(condition, seconds=60):
    """Return the value of `condition` as soon as it is true."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(0.05)
    raise AssertionError(f"The condition was not met within {seconds} s.")


class BrowserPage:
    """One page: navigation, input events, network requests and console messages.

    Attributes
    ----------
    requests, problems : list of str
        URLs that the page requested; errors, warnings and policy violations in its console.
    """

    def __init__(self, socket):
        self._socket = socket
        self._numbers = itertools.count(1)
        self.requests, self.problems = [], []

    def open(self, url, *, width=1280, height=900, dark=False, phone=False, ready="true"):
        """Open a URL and wait until its `data-ready` is `ready`; None for a page without scripts."""
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone)
        if phone:
            self.call("Emulation.setTouchEmulationEnabled", enabled=True)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Page.navigate", url=url)
        is_ready = f"document.documentElement?.dataset.ready === {json.dumps(ready)}" if ready else "true"
        wait_for(
            lambda: self.run(f"location.href !== 'about:blank' && document.readyState === 'complete' && {is_ready}")
        )

    def close(self):
        self._socket.close()

    def call(self, method, **parameters):
        """Send one command and return its result; record the events that arrive before it."""
        number = next(self._numbers)
        self._socket.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = json.loads(self._socket.recv())
            if message.get("id") == number:
                assert "error" not in message, message
                return message["result"]
            self._record(message)

    def run(self, code):
        """Return the value of a JavaScript expression; of a promise, its result."""
        result = self.call("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def text(self, element):
        return self.run(f"document.getElementById('{element}').textContent")

    def wait_for_text(self, element, wanted):
        wait_for(lambda: self.text(element) == wanted)

    def draw(self, element, strokes):
        """Draw with the mouse; strokes are lists of (x, y) as fractions of the element's width and height."""
        frame = self.run(f"document.getElementById('{element}').getBoundingClientRect().toJSON()")
        for stroke in strokes:
            points = [(frame["x"] + x * frame["width"], frame["y"] + y * frame["height"]) for x, y in stroke]
            self._mouse("mousePressed", *points[0])
            for point in points[1:]:
                self._mouse("mouseMoved", *point)
            self._mouse("mouseReleased", *points[-1])

    def press(self, key, *, code=0, text="", modifiers=0):
        """Press and release one key; `modifiers`: 2 for Ctrl, 8 for Shift."""
        event = {"key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **event)
        self.call("Input.dispatchKeyEvent", type="keyUp", **event)

    def drop(self, content, name, kind):
        """Drop a file on the page."""
        encoded = base64.b64encode(content).decode()
        self.run(
            f"""(() => {{
                const bytes = Uint8Array.from(atob("{encoded}"), (c) => c.charCodeAt(0));
                const transfer = new DataTransfer();
                transfer.items.add(new File([bytes], "{name}", {{ type: "{kind}" }}));
                document.body.dispatchEvent(new DragEvent("drop", {{ dataTransfer: transfer, bubbles: true }}));
            }})()"""
        )

    def _mouse(self, kind, x, y):
        self.call(
            "Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", buttons=1, clickCount=1, pointerType="mouse"
        )

    def _record(self, message):
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Runtime.exceptionThrown":
            self.problems.append(str(parameters["exceptionDetails"]))
        elif method == "Log.entryAdded" and parameters["entry"]["level"] in ("error", "warning"):
            self.problems.append(parameters["entry"]["text"])
        elif method == "Runtime.consoleAPICalled" and parameters["type"] in ("error", "warning", "assert"):
            self.problems.append(str(parameters["args"]))
