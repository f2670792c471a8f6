"""The rules between JDL attributes, in the order they are applied to a job.

Each rule reads through a Reader and reports to it; none raises. The rules of one attribute alone are in
the table of attributes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from wms import sandbox
from wms.errors import JdlInvalid
from wms.jdl.arguments import split_arguments
from wms.jdl.ast import Name, Select, Unary
from wms.jdl.attributes import JOB_TYPES
from wms.jdl.destinations import destination_problem
from wms.jdl.forms import MISSING
from wms.jdl.reader import Reader
from wms.jdl.references import significant

_LETTERS: Final = {name.lower(): letter for letter, name in JOB_TYPES.items() if letter not in "KD"}
_INCOMPLETE: Final = "attributes group not complete, the attributes have to be specified all togheter"
_CATALOGUES: Final = frozenset({"DLI", "SI", "RLS"})


def job_letters(reader: Reader) -> str:
    """The types of the job as letters of JOB_TYPES; `K` or `D` for a compound."""
    kind = str(reader.get("Type", "Job")).lower()
    if kind != "job":
        return "D" if kind == "dag" else "K"
    wanted = [str(name).lower() for name in reader.list_of("JobType")]
    unknown = [name for name in wanted if name not in _LETTERS]
    if unknown:
        known = " | ".join(JOB_TYPES[letter] for letter in _LETTERS.values())
        reader.problem("JobType", f"wrong value caught for attribute ({', '.join(unknown)}; known: {known})")
    letters = "".join(dict.fromkeys(_LETTERS[name] for name in wanted if name in _LETTERS))
    return letters.replace("N", "") or "N"


# -- files -----------------------------------------------------------------------------------------------


def input_sandbox(reader: Reader, letters: str, *, remote: bool) -> None:
    entries = reader.list_of("InputSandbox")
    based = reader.ad.get("InputSandboxBaseURI") is not None
    if based and not remote:
        reader.problem("InputSandboxBaseURI", "remote files are not allowed in the InputSandbox")
    names = reader.get("InputSandboxDestFileName")
    if names is not None and len(names) != len(entries):
        reader.problem("InputSandboxDestFileName",
                       "InputSandbox and InputSandboxDestFileName cardinalities are different")
        names = None
    reader.report("InputSandbox", sandbox.input_problems(entries, remote=remote, names=names))


def sandbox_names(reader: Reader) -> list[str]:
    """What the files of the InputSandbox are called in the directory of the job."""
    names: list[str] | None = reader.get("InputSandboxDestFileName")
    return [sandbox.base_name(entry) for entry in reader.list_of("InputSandbox")] if names is None else names


def programs(reader: Reader, letters: str) -> None:
    """Executable, StdInput, Prologue and Epilogue must be reachable on the worker node."""
    for name in ("Executable", "StdInput", "Prologue", "Epilogue"):
        path = reader.get(name)
        if path is not None:
            reader.report(name, [sandbox.program_problem(path, sandbox_names(reader))])
    for name in ("Prologue", "Epilogue"):
        if reader.node(f"{name}Arguments") is not None and reader.node(name) is None:
            reader.problem(f"{name}Arguments", _INCOMPLETE)


def container(reader: Reader, letters: str) -> None:
    """The image is fetched by its URI, or a file that is reached as programs are."""
    image = reader.get("Container")
    if image is not None and not sandbox.scheme(image):
        reader.report("Container", [sandbox.program_problem(image, sandbox_names(reader))])
    if reader.node("ContainerBinds") is not None and reader.node("Container") is None:
        reader.problem("ContainerBinds", _INCOMPLETE)


def arguments(reader: Reader, letters: str) -> None:
    """Arguments must fall into words."""
    for name in ("Arguments", "PrologueArguments", "EpilogueArguments"):
        try:
            split_arguments(reader.get(name, ""))
        except JdlInvalid as refusal:
            reader.problem(name, refusal.message.removeprefix("Arguments: "))


def standard_streams(reader: Reader, letters: str) -> None:
    """StdOutput and StdError may be one file, if it is spelled in one way. A terminal has only the first."""
    names = {name: reader.get(name) for name in ("StdOutput", "StdError") if name == "StdOutput" or "I" not in letters}
    for name, path in names.items():
        if path is not None:
            reader.report(name, [sandbox.output_name_problem(path)])
            if "I" not in letters:
                _warn_if_lost(reader, name, path)
    output, error = names["StdOutput"], names.get("StdError")
    if output and error and output != error and _same_file(output) == _same_file(error):
        reader.problem("StdError", f"'{error}' is the file of StdOutput; spell it '{output}'")


def _warn_if_lost(reader: Reader, name: str, path: str) -> None:
    kept = {_same_file(entry) for entry in reader.list_of("OutputSandbox") if not sandbox.has_wildcard(entry)}
    wild = any(sandbox.has_wildcard(entry) for entry in reader.list_of("OutputSandbox"))
    if not wild and _same_file(path) not in kept:
        reader.warn(name, f"{name} '{path}' is not in the OutputSandbox and will not come back")


def _same_file(path: str) -> str:
    return "/".join(part for part in path.split("/") if part not in ("", "."))


def output_sandbox(reader: Reader, letters: str) -> None:
    entries = reader.list_of("OutputSandbox")
    reader.report("OutputSandbox", sandbox.output_problems(entries))
    destinations = reader.node("OutputSandboxDestURI")
    if destinations is None:
        return
    if reader.node("OutputSandboxBaseDestURI") is not None:
        reader.problem("OutputSandboxDestURI", "not allowed together with OutputSandboxBaseDestURI")
    if len(reader.list_of("OutputSandboxDestURI")) != len(entries):
        reader.problem("OutputSandboxDestURI",
                       "OutputSandbox and OutputSandboxDestURI cardinalities are different")
    if any(map(sandbox.has_wildcard, entries)):
        reader.problem("OutputSandbox", "wildcards are not allowed together with OutputSandboxDestURI")
    places = reader.list_of("OutputSandboxDestURI")
    reader.report("OutputSandboxDestURI", [*map(destination_problem, places), *(
        f"'{place}' is told more than once" for place in sandbox.repeated(places))])


# -- data ------------------------------------------------------------------------------------------------


def data(reader: Reader, letters: str) -> None:
    has_data = reader.node("InputData") is not None
    has_requirements = reader.node("DataRequirements") is not None
    if has_data and has_requirements:
        reader.problem("InputData", "not allowed together with DataRequirements")
    if (has_data or has_requirements) and reader.node("DataAccessProtocol") is None:
        reader.problem("DataAccessProtocol", f"InputData||DataRequirements,DataAccessProtocol {_INCOMPLETE}")
    if reader.get("StageInputData"):
        _staged(reader, has_data or has_requirements)
    for record in reader.list_of("DataRequirements"):
        reader.report("DataRequirements", _data_requirement_problems(_folded(record)))
    for record in reader.list_of("OutputData"):
        file = _folded(record).get("outputfile")
        reader.report("OutputData", [sandbox.output_name_problem(file) if isinstance(file, str)
                                     else "OutputFile: Jdl mandatory attribute is missing"])


def _staged(reader: Reader, has_data: bool) -> None:
    """Files that are copied lie beside those of the InputSandbox. Names of queries are known when they are answered."""
    if not has_data:
        reader.problem("StageInputData", f"InputData||DataRequirements,StageInputData {_INCOMPLETE}")
    named = [sandbox.data_name(name) for name in reader.list_of("InputData") if not name.startswith(("lds:", "query:"))]
    reader.report("InputData", sandbox.flat_problems([*named, *sandbox_names(reader)]) if named else [])


def _folded(record: dict[str, Any]) -> dict[str, Any]:
    return {name.lower(): value for name, value in record.items()}


def _data_requirement_problems(record: dict[str, Any]) -> list[str | None]:
    catalogue = record.get("datacatalogtype")
    known = isinstance(catalogue, str) and catalogue.upper() in _CATALOGUES
    return [
        None if "inputdata" in record else "InputData: Jdl mandatory attribute is missing",
        None if known else "DataCatalogType: wrong value caught for attribute (known: DLI, SI, RLS)",
    ]


def data_access_cost(reader: Reader, letters: str) -> None:
    """A rank by cost of data access is that and nothing else, and needs data."""
    rank = reader.node("Rank")
    if rank is None or "dataaccesscost" not in significant(rank, reader.ad):
        return
    bare = rank.operand if isinstance(rank, Unary) else rank
    if not (isinstance(bare, Select) and isinstance(bare.base, Name)):
        reader.problem("Rank", "other.DataAccessCost must be alone")
    if reader.node("InputData") is None or reader.node("DataAccessProtocol") is None:
        reader.problem("Rank", "other.DataAccessCost needs InputData and DataAccessProtocol")


# -- types and processors --------------------------------------------------------------------------------


EXCLUSIVE: Final[Mapping[str, str]] = {
    "IM": "Interactive and MPICH together are not supported",
    "RP": "Parametric and Partitionable exclude each other",
    "IR": "Interactive and Parametric exclude each other: nodes of a compound have no terminal",
    "IP": "Interactive and Partitionable exclude each other: nodes of a compound have no terminal",
    "CR": "Checkpointable and Parametric exclude each other",
}
"""Job types (letters of JOB_TYPES) that one job cannot be at once; all others combine."""


def job_types(reader: Reader, letters: str) -> None:
    for pair, message in EXCLUSIVE.items():
        if set(pair) <= set(letters):
            reader.problem("JobType", message)
    if "I" not in letters and reader.node("ListenerPort") is not None:
        reader.problem("ListenerPort", "only allowed for Interactive jobs")


def processors(reader: Reader, letters: str) -> None:
    cpus, nodes = reader.get("CpuNumber"), reader.get("NodeNumber")
    if cpus is not None and nodes is not None and cpus != nodes:
        reader.problem("NodeNumber", f"{nodes} contradicts CpuNumber {cpus}: they mean the same")
    name = "NodeNumber" if cpus is None and nodes is not None else "CpuNumber"
    wanted = cpus if cpus is not None else nodes
    if "M" in letters and reader.node("CpuNumber") is None and reader.node("NodeNumber") is None:
        reader.problem("CpuNumber", MISSING)
    elif "M" in letters and wanted == 1:
        reader.problem(name, "wrong value caught for attribute (must be greater than 1 for MPICH)")
    both = reader.node("SMPGranularity") is not None and reader.node("HostNumber") is not None
    if both and not reader.get("WholeNodes", False):
        reader.problem("SMPGranularity", "not allowed together with HostNumber unless WholeNodes is true")


def partitions(reader: Reader, letters: str) -> None:
    steps, weights = reader.get("JobSteps"), reader.get("StepWeight")
    count = len(steps) if isinstance(steps, list) else steps
    if weights is not None and count is not None and len(weights) != count:
        reader.problem("StepWeight", "JobSteps and StepWeight cardinalities are different")


# -- compounds -------------------------------------------------------------------------------------------


def nodes(reader: Reader, letters: str) -> None:
    wanted: tuple[type, str] = (dict, "a record") if letters == "D" else (list, "a list of records")
    value = reader.get("Nodes")
    if value is not None and not isinstance(value, wanted[0]):
        reader.problem("Nodes", f"'nodes' not valid ({wanted[1]} expected)")
    elif isinstance(value, list) and not value:
        reader.problem("Nodes", "'nodes' not valid (empty)")


Rule = Callable[[Reader, str], None]
JOB_RULES: Final[Sequence[Rule]] = (
    programs, container, arguments, data, standard_streams, output_sandbox, job_types, processors, partitions,
    data_access_cost,
)
COMPOUND_RULES: Final[Sequence[Rule]] = (nodes,)
