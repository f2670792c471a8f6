"""The files that trust is made of, read again when they change: CA directory, vomsdir, the host's certificate and key.

They block: `wms.trust` calls them in a thread. What a file says is `wms.x509.anchors` and `wms.voms.vomsdir`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from wms.errors import ConfigError

T = TypeVar("T")
Stamp = tuple[int, int, int]
MOST_BYTES = 64_000_000


@dataclass(frozen=True, slots=True)
class Seen(Generic[T]):
    """What each file said, by its name within the directory, and as which it was seen."""

    stamps: Mapping[str, Stamp] = field(default_factory=dict)
    files: Mapping[str, T] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Directory(Generic[T]):
    """`names(path)` yields the files that count, relative to `path`; `parse(name, content)` reads one."""

    path: Path
    names: Callable[[Path], Iterator[str]]
    parse: Callable[[str, bytes], T]
    lost: Callable[[str], T]

    def stamps(self) -> dict[str, Stamp]:
        """Of all files that count and are there now. Raises OSError when the directory cannot be listed."""
        found = ((name, stamp_of(self.path / name)) for name in self.names(self.path))
        return {name: stamp for name, stamp in found if stamp is not None}

    def read(self, seen: Seen[T]) -> Seen[T]:
        """`seen` itself when nothing changed; only what changed is read."""
        stamps = self.stamps()
        if stamps == seen.stamps:
            return seen
        return Seen(stamps, {name: seen.files[name] if seen.stamps.get(name) == stamp else self._file(name)
                             for name, stamp in sorted(stamps.items())})

    def _file(self, name: str) -> T:
        try:
            if (self.path / name).stat().st_size > MOST_BYTES:
                return self.lost(f"larger than {MOST_BYTES} bytes")
            return self.parse(name, (self.path / name).read_bytes())
        except OSError as error:
            return self.lost(error.strerror or str(error))


def stamp_of(path: Path) -> Stamp | None:
    """What changes when the file does; None when there is none."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


def matching(fits: Callable[[str], object]) -> Callable[[Path], Iterator[str]]:
    """The files of a directory whose names fit."""
    return lambda path: (name for name in os.listdir(path) if fits(name))


def beneath(path: Path) -> Iterator[str]:
    """The files of a directory and of those in it, as `FILE` and `DIRECTORY/FILE`; none when it is not there."""
    for top, directories, files in os.walk(path, followlinks=True):
        place = Path(top).relative_to(path)
        yield from (str(place / name) for name in files)
        if place.parts:
            directories.clear()


def content(path: str) -> bytes:
    """Of a file that must be there. Raises ConfigError."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise ConfigError(f"TLS: cannot read {path}: {error.strerror}.") from None
