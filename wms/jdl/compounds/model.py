"""What every compound is to those who run it: a number of nodes, each with a name, a text and input files.

How a description becomes that is in the module of each kind. Nothing here knows a kind.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Protocol

from wms.jdl.ast import Ad, Warned

COLLECTION: Final = "collection"
DAG: Final = "dag"


@dataclass(frozen=True, slots=True)
class NodeInput:
    """A file that is `name` in the working directory of a node.

    Either file `shared` of the compound's own input sandbox, or output `file` of node number `node`.
    """

    name: str
    shared: str = ""
    node: int = -1
    file: str = ""


class Nodes(Protocol):
    """The nodes of one compound, by index from 0."""

    def name(self, index: int) -> str: ...

    def jdl(self, index: int) -> str: ...

    def inputs(self, index: int) -> tuple[NodeInput, ...]: ...

    def index(self, name: str) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Common:
    """What holds for a compound as a whole; `expiry_time` is epoch seconds, `warnings` do not refuse.

    `collocated`: all nodes go to one computing element.
    """

    virtual_organisation: str
    my_proxy_server: str
    expiry_time: float | None
    warnings: tuple[Warned, ...]
    ad: Ad
    collocated: bool = False


@dataclass(frozen=True, slots=True)
class Compound:
    """A checked compound. `edges` are (parent, child) indices; `max_running_nodes` is 0 without a limit.

    `alike`: nothing that matching sees tells the nodes apart. `input_sandbox` names the files the compound
    brings. `ad` is the record as given.
    """

    kind: str
    number: int
    nodes: Nodes = field(repr=False, compare=False)
    common: Common = field(repr=False)
    input_sandbox: tuple[str, ...] = ()
    edges: tuple[tuple[int, int], ...] = ()
    max_running_nodes: int = 0
    alike: bool = False

    @property
    def virtual_organisation(self) -> str:
        return self.common.virtual_organisation

    @property
    def my_proxy_server(self) -> str:
        return self.common.my_proxy_server

    @property
    def expiry_time(self) -> float | None:
        return self.common.expiry_time

    @property
    def collocated(self) -> bool:
        return self.common.collocated

    @property
    def warnings(self) -> tuple[Warned, ...]:
        return self.common.warnings

    @property
    def ad(self) -> Ad:
        return self.common.ad

    def name(self, index: int) -> str:
        """The name of a node, unique in the compound."""
        return self.nodes.name(index)

    def jdl(self, index: int) -> str:
        """The whole text of a node, a description of a single job."""
        return self.nodes.jdl(index)

    def inputs(self, index: int) -> tuple[NodeInput, ...]:
        """Where the input files of a node come from."""
        return self.nodes.inputs(index)

    def index(self, name: str) -> int | None:
        """The index of the node with this name, None when there is none."""
        return self.nodes.index(name)
