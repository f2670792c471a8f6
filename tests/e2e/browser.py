"""Chromium without a window, driven through a pipe by its DevTools protocol, and the way by which it reaches a service
as somebody: a passage on the loopback that shows their certificate.
"""

from __future__ import annotations

import base64
import json
import os
import select
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any, Self

from deployment import PATIENCE_S, until

CHROMIUM = "chromium"
QUIET = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--hide-scrollbars",
         "--disable-background-networking", "--disable-component-update", "--disable-sync", "--disable-dev-shm-usage",
         "--force-color-profile=srgb", "--remote-debugging-pipe")
CHUNK = 65_536


class Passage:
    """Listens on a free port of the loopback and hands each connection on over TLS, as the one `context` shows."""

    def __init__(self, host: str, port: int, context: ssl.SSLContext) -> None:
        self._target, self._context = (host, port), context
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self._open: list[socket.socket] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        for one in (self._socket, *self._open):
            _close(one)

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client, _address = self._socket.accept()
                threading.Thread(target=self._connect, args=[client], daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with suppress(OSError), closing(client), socket.create_connection(self._target) as plain, \
                self._context.wrap_socket(plain, server_hostname=self._target[0]) as server:
            self._open += [client, server]
            _relay(client, server)


def _relay(client: socket.socket, server: ssl.SSLSocket) -> None:
    """Both directions, in one thread since they share the state of TLS, until one end closes."""
    while True:
        ready = [server] if server.pending() else select.select([client, server], [], [])[0]
        if client in ready:
            data = client.recv(CHUNK)
            if not data:
                return
            server.setblocking(True)
            server.sendall(data)
        if server in ready:
            server.setblocking(False)
            with suppress(ssl.SSLWantReadError):
                data = server.recv(CHUNK)
                if not data:
                    return
                client.sendall(data)


def _close(one: socket.socket) -> None:
    with suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()


class Browser:
    """One Chromium process."""

    def __init__(self, directory: Path) -> None:
        program = shutil.which(CHROMIUM)
        assert program, "chromium is not installed: tests/testbed/packages.sh"
        hears, self._out = os.pipe()
        self._in, says = os.pipe()
        self._buffer, self._last = b"", 0
        self.errors: list[str] = []
        with open(directory / "chromium.log", "wb") as log:
            self.process = subprocess.Popen(
                ["/bin/bash", "-c", f'exec "$0" "$@" 3<&{hears} 4>&{says}', program, *QUIET,
                 f"--user-data-dir={directory}/profile"],
                pass_fds=(hears, says), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                env={"PATH": os.defpath, "HOME": str(directory), "LANG": "C.UTF-8", "TZ": "UTC"})
        os.close(hears)
        os.close(says)

    def close(self) -> None:
        """End the process and all that belongs to it."""
        with suppress(AssertionError, OSError):
            self.call("Browser.close")
        self.process.wait(PATIENCE_S)
        os.close(self._out)
        os.close(self._in)

    def call(self, method: str, session: str = "", **params: Any) -> Any:
        """A command of the protocol, answered."""
        self._last += 1
        message: dict[str, Any] = {"id": self._last, "method": method, "params": params}
        os.write(self._out, json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0")
        while (answer := self._read()).get("id") != self._last:
            self._note(answer)
        assert "error" not in answer, (method, answer["error"])
        return answer["result"]

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._buffer:
            piece = os.read(self._in, CHUNK)
            assert piece, "chromium has ended"
            self._buffer += piece
        line, _, self._buffer = self._buffer.partition(b"\0")
        found: dict[str, Any] = json.loads(line)
        return found

    def _note(self, event: dict[str, Any]) -> None:
        """What a developer would see in red."""
        entry = event.get("params", {}).get("entry", {})
        if event.get("method") == "Log.entryAdded" and entry.get("level") == "error":
            self.errors.append(f"{entry.get('text')} {entry.get('url', '')}")
        if event.get("method") == "Runtime.exceptionThrown":
            self.errors.append(str(event["params"]["exceptionDetails"]))

    @contextmanager
    def tab(self, url: str, **how: Any) -> Iterator[Tab]:
        """A page, loaded; closed at the end."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        try:
            session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
            yield Tab(self, session, url, **how)
        finally:
            self.call("Target.closeTarget", targetId=target)


class Tab:
    """A page in the browser: as wide, as dark, with or without JavaScript."""

    def __init__(self, browser: Browser, session: str, url: str, *, width: int = 1200, dark: bool = False,
                 script: bool = True) -> None:
        self._browser, self._session = browser, session
        for domain in ("Page", "Runtime", "Log"):
            self.call(f"{domain}.enable")
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1,
                  mobile=width < 600)
        self.call("Emulation.setScriptExecutionDisabled", value=not script)
        self.call("Page.navigate", url=url)
        loaded = "location.href !== 'about:blank' && document.readyState === 'complete'"
        until(lambda: self.value(loaded), f"{url} to load")

    def call(self, method: str, **params: Any) -> Any:
        return self._browser.call(method, self._session, **params)

    def value(self, expression: str) -> Any:
        """What a JavaScript expression gives in the page."""
        found = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def text(self, selector: str) -> str:
        """The text of the first such element, as it is shown."""
        return str(self.value(f"document.querySelector({json.dumps(selector)})?.innerText ?? ''")).strip()

    def texts(self, selector: str) -> list[str]:
        """The text of all such elements."""
        chosen = f"[...document.querySelectorAll({json.dumps(selector)})]"
        return [str(text).strip() for text in self.value(f"{chosen}.map(one => one.textContent)")]

    def widths(self, selector: str) -> list[float]:
        """How wide such elements are on the screen, in pixels."""
        return self._boxes(selector, "width")

    def edges(self, selector: str) -> list[float]:
        """Where such elements begin on the screen, in pixels."""
        return self._boxes(selector, "left")

    def _boxes(self, selector: str, side: str) -> list[float]:
        chosen = f"[...document.querySelectorAll({json.dumps(selector)})]"
        return [float(found) for found in self.value(f"{chosen}.map(one => one.getBoundingClientRect().{side})")]

    def picture(self, path: Path) -> bytes:
        """A screenshot of the whole page, kept in a file."""
        found = self.call("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(found["data"]))
        return path.read_bytes()
