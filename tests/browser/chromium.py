"""Headless Chromium without network, driven over a pipe by its DevTools protocol; no package is needed."""

from __future__ import annotations

import base64
import itertools
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
#: The protocol is spoken on the file descriptors 3 and 4.
START = """
import os, sys
ends = [os.dup(int(number)) for number in sys.argv[1:3]]
ends = [os.dup(end) if end in (3, 4) else end for end in ends]
os.dup2(ends[0], 3), os.dup2(ends[1], 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Chromium:
    """A tab: opens files, runs scripts, remembers errors and requests; a context manager."""

    def __enter__(self) -> Chromium:
        self.folder = tempfile.mkdtemp()
        their_in, self.out = os.pipe()
        self.inn, their_out = os.pipe()
        flags = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"]
        self.process = subprocess.Popen(
            [sys.executable, "-c", START, str(their_in), str(their_out), BROWSER, *flags,
             f"--user-data-dir={self.folder}", "about:blank"],
            pass_fds=(their_in, their_out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(their_in)
        os.close(their_out)
        self.reader = os.fdopen(self.inn, "rb")
        self.numbers, self.session, self.events, self.rest = itertools.count(1), None, [], b""
        targets = self.send("Target.getTargets")["targetInfos"]
        tab = next(t["targetId"] for t in targets if t["type"] == "page")
        self.session = self.send("Target.attachToTarget", targetId=tab, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{domain}.enable")
        self.send("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        self.process.wait(30)
        os.close(self.out)
        self.reader.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _receive(self) -> dict[str, Any]:
        while b"\0" not in self.rest:
            chunk = os.read(self.inn, 1 << 20)
            if not chunk:
                raise EOFError("Chromium has ended")
            self.rest += chunk
        message, self.rest = self.rest.split(b"\0", 1)
        return json.loads(message)

    def send(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol and wait for its answer; events in between are kept."""
        number = next(self.numbers)
        call = {"id": number, "method": method, "params": parameters}
        message = json.dumps(call | ({"sessionId": self.session} if self.session else {})).encode() + b"\0"
        while message:
            message = message[os.write(self.out, message) :]
        while (answer := self._receive()).get("id") != number:
            self.events.append(answer)
        if "error" in answer:
            raise RuntimeError(f"{method}: {answer['error']['message']}")
        return answer["result"]

    def open(self, file: Path, *, width: int = 1280, height: int = 900, dark: bool = False) -> None:
        """Open a file in a window of a size, in light or dark."""
        self.events.clear()
        self.send("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url=file.as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self._receive())

    def run(self, script: str) -> Any:
        """Value of an expression, or of the promise that it is."""
        found = self.send("Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True)
        if "exceptionDetails" in found:
            raise RuntimeError(found["exceptionDetails"].get("exception", {}).get("description", "exception"))
        return found["result"].get("value")

    def press(self, *keys: str) -> None:
        """Press keys one after the other."""
        for key in keys:
            code = {"Enter": 13, "Tab": 9}.get(key, 0)
            text = {"text": "\r"} if key == "Enter" else {}
            named = {"key": key, "code": key, "windowsVirtualKeyCode": code}
            self.send("Input.dispatchKeyEvent", type="keyDown", **named, **text)
            self.send("Input.dispatchKeyEvent", type="keyUp", **named)

    def complaints(self) -> list[str]:
        """Exceptions, console errors and warnings since the page was opened."""
        self.run("0")
        bad = [e for e in self.events if e.get("method") == "Runtime.exceptionThrown"]
        bad += [e for e in self.events if e.get("method") == "Runtime.consoleAPICalled"
                and e["params"]["type"] in ("error", "warning", "assert")]  # fmt: skip
        bad += [e for e in self.events if e.get("method") == "Log.entryAdded"]
        return [json.dumps(e["params"]) for e in bad]

    def requests(self) -> list[str]:
        """Addresses asked for since the page was opened, but for the page itself and what it holds."""
        self.run("0")
        asked = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith(("data:", "blob:"))]

    def screenshot(self, file: Path, *, whole: bool = False) -> None:
        """Save a PNG of the window, or of the whole page."""
        found = self.send("Page.captureScreenshot", captureBeyondViewport=whole)
        file.write_bytes(base64.b64decode(found["data"]))
