"""A suite of one's own in one directory: CA, certificates, proxy, configuration, and the process that runs it.

For one machine and one person. A site uses its own certificates, `wmsd` and systemd.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from clients import demo_storage
from wms import beat as heartbeat
from wms.errors import TimedOut, WmsError

READY_S = 60.0
GONE_S = 40.0
LOOK_S = 0.02
PROXY_S = 43_200.0
PROXY_LEAST_S = 7_200.0


class Site(NamedTuple):
    """The paths of a suite below its directory."""

    root: Path

    @property
    def config(self) -> Path:
        return self.root / "wms.yaml"

    @property
    def state(self) -> Path:
        return self.root / "state"

    @property
    def certificates(self) -> Path:
        return self.root / "certificates"

    @property
    def proxy(self) -> Path:
        return self.root / "user" / "proxy.pem"

    @property
    def log(self) -> Path:
        return self.root / "log" / "wmsd.log"


class SuiteFailed(WmsError):
    """The suite did not start; the message is its own last word."""

    code = "WMS_SUITE_FAILED"


def environment(site: Site) -> dict[str, str]:
    """The variables that point every client command, and wmsd, at the suite."""
    settings = msgspec.yaml.decode(site.config.read_bytes())
    return {"WMS_ENDPOINT": f"https://{settings['host']}:{settings['ns']['listen'].rsplit(':', 1)[1]}",
            "X509_CERT_DIR": str(site.certificates), "X509_USER_PROXY": str(site.proxy), "WMS_DIR": str(site.root),
            "WMS_CONFIG": str(site.config), "WMS_INTERLOGGER_SPOOL": str(site.state / "lb-spool")}


def up(site: Site, slots: int, ces: Path | None = None) -> bool:
    """Make what is missing, start the suite unless it runs, wait until it is ready; True if it was started.

    `ces`: a YAML file of computing elements (the key `ce` of the configuration) instead of this machine's slots.
    """
    site.root.mkdir(mode=0o700, parents=True, exist_ok=True)
    with _locked(site):
        prepare(site, slots, ces)
        if running(site) is not None:
            return False
        _run(site, "migrate")
        _wait_ready(site, _spawn(site))
        return True


def down(site: Site) -> bool:
    """Stop the suite in order and wait until it is gone; True if it ran. One that is starting is let start."""
    if not site.root.exists():
        return False
    with _locked(site):
        return _stop(site)


def _stop(site: Site) -> bool:
    pid = running(site)
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    end = time.monotonic() + GONE_S
    while is_ours(pid, site):
        if time.monotonic() > end:
            raise TimedOut(f"The suite (process {pid}) did not stop within {GONE_S:.0f} s.",
                           hint=f"Look at {site.log}.")
        time.sleep(LOOK_S)
    return True


def running(site: Site) -> int | None:
    """The pid of the suite's process, if that still is our process."""
    beat = heartbeat.read(heartbeat.beat_path(str(site.state), "suite"))
    return beat.pid if beat is not None and is_ours(beat.pid, site) else None


def is_ours(pid: int, site: Site) -> bool:
    """Does that process live, and was it started for this suite? A number may have been used again."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return str(site.config).encode() in command


@contextlib.contextmanager
def _locked(site: Site) -> Iterator[None]:
    with open(site.root / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _wmsd(site: Site, *words: str) -> list[str]:
    return [sys.executable, "-m", "wms.daemon", "--config", str(site.config), *words]


def wmsd(site: Site, *words: str) -> int:
    """Run `wmsd` for the suite on this terminal; its exit status."""
    if not site.config.exists():
        raise SuiteFailed(f"There is no suite in {site.root}.")
    return subprocess.run(_wmsd(site, *words), check=False).returncode


def _run(site: Site, *words: str) -> None:
    done = subprocess.run(_wmsd(site, *words), capture_output=True, text=True, timeout=READY_S, check=False)
    if done.returncode:
        raise SuiteFailed(done.stderr.strip().rpartition("\n")[2] or f"wmsd {words[0]} failed")


def _spawn(site: Site) -> subprocess.Popen[bytes]:
    """In a session of its own, its log in a file; it outlives us."""
    site.log.parent.mkdir(mode=0o700, exist_ok=True)
    with open(site.log, "ab") as log:
        return subprocess.Popen(_wmsd(site, "run"), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                start_new_session=True, cwd=site.root)


def _wait_ready(site: Site, process: subprocess.Popen[bytes]) -> None:
    end, path = time.monotonic() + READY_S, heartbeat.beat_path(str(site.state), "suite")
    while True:
        beat = heartbeat.read(path)
        if beat is not None and beat.pid == process.pid and beat.ready:
            process.returncode = 0
            return
        if process.poll() is not None:
            raise SuiteFailed(_last_word(site), hint=f"The whole story is in {site.log}.")
        if time.monotonic() > end:
            process.terminate()
            raise TimedOut(f"The suite was not ready within {READY_S:.0f} s.", hint=f"Look at {site.log}.")
        time.sleep(LOOK_S)


def _last_word(site: Site) -> str:
    lines = [line for line in site.log.read_text().splitlines() if line.startswith("wmsd: ")]
    return lines[-1].removeprefix("wmsd: ") if lines else "The suite ended while starting."


# -- what is made ----------------------------------------------------------------------------------------


def prepare(site: Site, slots: int, ces: Path | None = None) -> None:
    """CA, certificates, proxy and configuration; what is there is kept, a proxy near its end is made anew."""
    now = time.time()
    if not site.config.exists():
        _make_certificates(site, now)
        _write(site.config, _configuration(site, _ces(slots, ces)), 0o600)
    if not _lasts(site.proxy, now + PROXY_LEAST_S):
        make_proxy(site, now)


def _lasts(proxy: Path, until: float) -> bool:
    from wms.errors import BadCredential
    from wms.x509.proxy import identify, load

    try:
        return identify(load(proxy.read_bytes()).chain, time.time()).not_after >= until
    except (OSError, BadCredential):
        return False


def _make_certificates(site: Site, now: float) -> None:
    from wms.x509.authority import host_certificate, make_authority, trust_files, user_certificate

    authority = make_authority(now, serial=_serial())
    names = [site_host(), socket.gethostname(), "127.0.0.1"]
    host = host_certificate(authority, list(dict.fromkeys(names)), now, serial=_serial())
    user = user_certificate(authority, _user_name(), now, serial=_serial())
    for name, content in trust_files(authority.certificate).items():
        _write(site.certificates / name, content, 0o644)
    for directory, issued in (("ca", authority), ("host", host), ("user", user)):
        _write(site.root / directory / "cert.pem", issued.certificate, 0o644)
        _write(site.root / directory / "key.pem", issued.key, 0o600)


def make_proxy(site: Site, now: float) -> None:
    """A proxy (RFC 3820) of the suite's user."""
    from wms.x509.proxy import certificates, dump, load_key, new_key, new_proxy

    directory = site.proxy.parent
    chain, key = certificates((directory / "cert.pem").read_bytes()), load_key((directory / "key.pem").read_bytes())
    proxy_key = new_key()
    cert = new_proxy(chain, key, proxy_key.public_key(), now, PROXY_S, serial=_serial())
    _write(site.proxy, dump(cert, proxy_key, chain), 0o600)


def _serial() -> int:
    return secrets.randbits(63) + 1


def _user_name() -> str:
    name = "".join(c for c in os.environ.get("LOGNAME", "") if c.isalnum())
    return f"{name or 'user'} {os.getuid()}"


def site_host() -> str:
    """The name under which a suite of one's own is reached."""
    return "localhost"


def _ces(slots: int, file: Path | None) -> Mapping[str, Mapping[str, object]]:
    if file is None:
        return {"local": {"backend": "local", "slots": slots, "tags": _software()}}
    try:
        return msgspec.yaml.decode(file.read_bytes(), type=dict[str, dict[str, object]])
    except (OSError, msgspec.MsgspecError) as error:
        raise SuiteFailed(f"{file} has no computing elements: {error}",
                          hint="What stands below `ce` in a configuration: NAME: {backend: slurm, ...}.") from None


def _configuration(site: Site, ces: Mapping[str, Mapping[str, object]]) -> bytes:
    """Writes the files that it names, too. Its storage is close to the first queue of the first CE."""
    first: Mapping[str, Any] = next(iter(ces.values()), {})
    kind, queue = str(first.get("backend", "local")), str(next(iter(first.get("queues", ())), "default"))
    listen = f"127.0.0.1:{_free_port()}"
    values: Mapping[str, object] = {
        "host": site_host(), "vo": "local", "state_dir": str(site.state),
        "tls": {"certificate": str(site.root / "host/cert.pem"), "key": str(site.root / "host/key.pem"),
                "ca_dir": str(site.certificates)},
        "ns": {"listen": listen}, "lb": {"listen": listen, "super_users": [_user_dn(site)]},
        "information": demo_storage.settings(site.root, site_host(), kind, queue),
        "ce": ces,
    }
    return msgspec.yaml.encode(values)


def _software() -> list[str]:
    """What a CE on this machine can say that it has."""
    return ["MPICH"] if shutil.which("mpirun") else []


def _user_dn(site: Site) -> str:
    """The suite's user, who administrates it too."""
    from wms.x509.proxy import certificates, identify

    return identify(certificates((site.root / "user/cert.pem").read_bytes()), time.time()).dn


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _write(path: Path, content: bytes, mode: int) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
        file.write(content)
