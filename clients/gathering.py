"""The files of a compound: nodes kept in files of their own put in their places, every local file found once.

The text that comes out names uploads only: what two nodes call alike but is not the same file gets a name of its
own in the sandbox and keeps its name in the node.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from clients.files import LocalFile, expand, local_files, path_of
from clients.settings import text
from wms.errors import JdlInvalid, SandboxFileMissing
from wms.jdl.ast import Ad, Attribute, ListNode, Literal, Name, Node, Select, Subscript, node
from wms.jdl.compounds.inheritance import NAMES, letters_of
from wms.jdl.compounds.parametric import MAX_OWN_FILES, values_of
from wms.jdl.compounds.substitution import MARK, substituted
from wms.jdl.limits import MAX_COMPOUND_TEXT
from wms.jdl.parser import parse
from wms.sandbox import base_name, check_name, is_remote

_PARTS: Final = frozenset({"prejob", "postjob"})
_NAMES: Final = frozenset(name.lower() for name in NAMES)


def gathered(ad: Ad, directory: str, environment: Mapping[str, str]) -> tuple[Ad, tuple[LocalFile, ...]]:
    """The compound complete in itself and the files to upload; raises JdlError, JdlInvalid, SandboxFileMissing."""
    uploads = Uploads(environment)
    if "R" in letters_of(ad):
        return _parametric(ad, directory, uploads), uploads.files()
    root = uploads.renamed(ad, directory)
    own = uploads.groups
    changes: dict[str, Node | None] = {}
    for name, value in root.attributes:
        if name.lower() == "nodes":
            changes[name] = _nodes(value, directory, uploads, own)
        elif name.lower() in _PARTS and isinstance(value, Ad):
            changes[name] = uploads.renamed(value, directory, own)
    return root.changed(changes), uploads.files()


Groups = Sequence[Sequence[tuple[str, str]]]
"""For each entry of a root's InputSandbox the (upload, name) pairs of its files."""


@dataclass(slots=True)
class Uploads:
    """Local files by the name they are uploaded as, one for each path; `groups` are those of the last record."""

    environment: Mapping[str, str]
    groups: Groups = ()
    _names: dict[str, str] = field(default_factory=dict)
    _files: dict[str, LocalFile] = field(default_factory=dict)

    def files(self) -> tuple[LocalFile, ...]:
        return tuple(self._files.values())

    def name(self, path: str) -> str:
        """What a local file is uploaded as: its own name unless another file has it."""
        if path not in self._names:
            file = local_files([path], "/")[0]
            name, count = file.name, 1
            while name in self._files:
                count += 1
                name = f"{count}.{file.name}"
            self._names[path], self._files[name] = name, replace(file, name=name)
        return self._names[path]

    def place(self, path: str, name: str) -> None:
        """Upload a file under this very name; raises JdlInvalid when another file has it."""
        file = replace(local_files([path], "/")[0], name=check_name(name))
        if self._files.setdefault(name, file).path != file.path:
            raise JdlInvalid("InputSandbox: filename conflict found while extracting files. "
                             f"The following file is repeated more than once: '{name}'", file=name)

    def renamed(self, ad: Ad, directory: str, root: Groups = ()) -> Ad:
        """A record whose InputSandbox names uploads; `root` are the groups that `root.InputSandbox[i]` means."""
        written = ad.get("InputSandbox")
        if written is None:
            self.groups = ()
            return ad
        items = written.items if isinstance(written, ListNode) else (written,)
        self.groups = [self._group(item, directory, root) for item in items]
        kept: list[Node] = []
        names: list[str] = []
        for item, group in zip(items, self.groups, strict=True):
            kept += [Literal(upload) for upload, _ in group] or [item]
            names += [name for _, name in group]
        changes: dict[str, Node | None] = {"InputSandbox": ListNode(tuple(kept))}
        if any(upload != name for group in self.groups for upload, name in group):
            changes |= _names_in_job(ad, names, len(kept))
        return ad.changed(changes)

    def _group(self, item: Node, directory: str, root: Groups) -> Sequence[tuple[str, str]]:
        """The files an item stands for; none for what only the service can tell."""
        match item:
            case Literal(value=str(entry)) if not is_remote(entry):
                paths = [path_of(found, directory) for found in expand([entry], directory, self.environment)]
                return [(self.name(path), base_name(path)) for path in paths]
            case Subscript(base=Select(base=Name(name=scope), name=name), index=Literal(value=int(index))):
                if scope.lower() == "root" and name.lower() == "inputsandbox" and 0 <= index < len(root):
                    return root[index]
        return ()


def _names_in_job(ad: Ad, names: Sequence[str], count: int) -> dict[str, Node | None]:
    """InputSandboxDestFileName as the user wrote it, or for files that are uploaded under another name."""
    if "InputSandboxDestFileName" in ad:
        return {}
    if len(names) != count:
        raise JdlInvalid("InputSandbox: different files have the same name; tell them apart with "
                         "InputSandboxDestFileName")
    return {"InputSandboxDestFileName": node(list(names))}


# -- nodes -----------------------------------------------------------------------------------------------


def _nodes(nodes: Node, directory: str, uploads: Uploads, root: Groups) -> Node:
    if isinstance(nodes, ListNode):
        return ListNode(tuple(_listed(item, directory, uploads, root) for item in nodes.items), nodes.position)
    if isinstance(nodes, Ad):
        return replace(nodes, attributes=tuple(
            Attribute(name, _described(value, directory, uploads, root)) for name, value in nodes.attributes))
    return nodes


def _listed(item: Node, directory: str, uploads: Uploads, root: Groups) -> Node:
    """A node of a list: a record, or the name of its file."""
    if not isinstance(item, Ad):
        return item
    if "File" not in item:
        return uploads.renamed(item, directory, root)
    if {name.lower() for name in item.names()} - {"file", *_NAMES}:
        raise JdlInvalid("File: no other attributes can be specified for this node")
    read, where = _read(item, directory)
    kept: dict[str, Node | None] = {name: value for name, value in item.attributes if name.lower() != "file"}
    return uploads.renamed(read.changed(kept), where, root)


def _described(value: Node, directory: str, uploads: Uploads, root: Groups) -> Node:
    """A node of a record: what stands in its description or in its file."""
    if not isinstance(value, Ad):
        return value
    description = value.get("description")
    if "file" in value and description is None:
        read, where = _read(value, directory)
        return value.changed({"file": None, "description": uploads.renamed(read, where, root)})
    if isinstance(description, Ad):
        return value.changed({"description": uploads.renamed(description, directory, root)})
    return value


def _read(record: Ad, directory: str) -> tuple[Ad, str]:
    """The description in the file a node names, and the directory of that file."""
    name = text(record.get("File"))
    path = path_of(name, directory)
    try:
        with open(path, encoding="utf-8") as file:
            return parse(file.read(), name, max_chars=MAX_COMPOUND_TEXT), os.path.dirname(path)
    except UnicodeDecodeError:
        raise SandboxFileMissing(f"File: {path} is not UTF-8 text", file=name, path=path) from None
    except OSError as error:
        raise SandboxFileMissing(f"File: {path} cannot be read: {error.strerror}", file=name, path=path) from None


def of_directory(option: str, path: str) -> Ad:
    """The collection of the descriptions in a directory, a node a file; raises JdlInvalid."""
    try:
        names = sorted(one.name for one in os.scandir(path) if one.is_file() and not one.name.startswith("."))
    except OSError:
        names = []
    if not names:
        raise JdlInvalid(f"{option}: no valid collection directory ({path})")
    return Ad((Attribute("Type", Literal("Collection")),
               Attribute("Nodes", node([{"File": os.path.join(os.path.abspath(path), name)} for name in names]))))


# -- parametric jobs -------------------------------------------------------------------------------------


def _parametric(ad: Ad, directory: str, uploads: Uploads) -> Ad:
    """Files without the mark are like those of a single job, those with it are one for each value."""
    written = ad.get("InputSandbox")
    items = () if written is None else written.items if isinstance(written, ListNode) else (written,)
    common = [item for item in items if not _marked(item)]
    own = [str(item.value) for item in items if isinstance(item, Literal) and _marked(item)]
    if not own:
        return uploads.renamed(ad, directory)
    values = values_of(ad)
    if len(values) > MAX_OWN_FILES:
        raise JdlInvalid(f"InputSandbox: at most {MAX_OWN_FILES} jobs can have files of their own")
    kept = uploads.renamed(Ad((Attribute("InputSandbox", ListNode(tuple(common))),)), directory).get("InputSandbox")
    assert isinstance(kept, ListNode)
    patterns = [_own_files(entry, values, directory, uploads) for entry in own]
    files: dict[str, Node | None] = {
        "InputSandbox": ListNode((*kept.items, *(Literal(pattern) for pattern, _ in patterns)))}
    if any(pattern != name for pattern, name in patterns):
        names = [str(item.value) for item in kept.items if isinstance(item, Literal)]
        files |= _names_in_job(ad, [*names, *(name for _, name in patterns)], len(items))
    return ad.changed(files)


def _marked(item: Node) -> bool:
    return isinstance(item, Literal) and isinstance(item.value, str) and MARK in item.value


def _own_files(entry: str, values: Sequence[int | str], directory: str, uploads: Uploads) -> tuple[str, str]:
    """(pattern of the uploads, pattern of the names in the jobs) of an entry with the mark.

    Where the mark is in the directory alone, the directory becomes part of the name of the upload.
    """
    entry = expand([entry], directory, uploads.environment)[0]
    name = base_name(entry)
    flat = name if MARK in name else entry.strip("./").replace("/", "_")
    for value in values:
        path = path_of(substituted(entry, value), directory)
        uploads.place(path, base_name(substituted(flat, value)))
    return flat, name
