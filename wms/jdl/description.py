"""A checked job description: one `JobDescription` from the attributes of a JDL record.

All problems are collected before refusing. Files on disk, credentials and the nodes of compounds are not
looked at here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

from wms.errors import JdlInvalid
from wms.jdl import checks, policy
from wms.jdl.ast import Ad, Literal, Node, Warned
from wms.jdl.attributes import ATTRIBUTES, JOB_TYPES
from wms.jdl.forms import MISSING
from wms.jdl.policy import DEFAULTS as DEFAULTS
from wms.jdl.reader import Reader
from wms.jdl.textual import text_of

_NEEDED: Final = {letter: tuple(row.name for row in ATTRIBUTES if letter in row.mandatory) for letter in JOB_TYPES}


@dataclass(frozen=True, slots=True)
class JobDescription:
    """What a job asks for. Absent texts are empty, absent lists empty tuples.

    `type` is Job, DAG or Collection; `job_types` names of JOB_TYPES, for a compound its `type`.
    `host_number` and `smp_granularity` are 0 when not asked for; `lazy` None: as the site says. `job_steps` are
    labels. `perusal_interval_s` 0: as the site says. `requirements` is the whole condition (user's, default,
    processors). `expiry_time` is epoch seconds.
    `ad` is the record as given; bind `requirements` and `rank` to it.
    """

    type: str
    job_types: tuple[str, ...]
    executable: str
    arguments: str
    std_input: str
    std_output: str
    std_error: str
    input_sandbox: tuple[str, ...]
    input_names: tuple[str, ...]
    output_sandbox: tuple[str, ...]
    environment: tuple[tuple[str, str], ...]
    container: str
    container_binds: tuple[str, ...]
    prologue: str
    prologue_arguments: str
    epilogue: str
    epilogue_arguments: str
    requirements: Node
    rank: Node
    fuzzy_rank: bool
    fuzzy_factor: float
    retry_count: int
    shallow_retry_count: int
    virtual_organisation: str
    my_proxy_server: str
    submit_to: str
    expiry_time: float | None
    user_tags: Mapping[str, str]
    cpu_number: int
    host_number: int
    whole_nodes: bool
    smp_granularity: int
    priority: int
    lazy: bool | None
    short_deadline: bool
    wms_feedback: bool
    input_data: tuple[str, ...]
    data_access_protocols: tuple[str, ...]
    stage_input_data: bool
    output_se: str
    job_steps: tuple[str, ...]
    current_step: int
    perusal: bool
    perusal_interval_s: int
    ad: Ad
    warnings: tuple[Warned, ...]


def describe(ad: Ad, *, defaults: Mapping[str, Node] | None = None, add_default_requirements: bool = True,
             remote_inputs: bool = False, need_vo: bool = False) -> JobDescription:
    """The description in `ad`, or JdlInvalid whose `details["problems"]` are all that is wrong,
    each `{attribute, row, column, message}`.

    `defaults` are attributes used when absent; its Requirements are ANDed to the user's unless
    `add_default_requirements` is false. `remote_inputs` allows URIs in the InputSandbox; `need_vo` makes
    VirtualOrganisation mandatory, as it is at the server.
    """
    site = {**DEFAULTS, **(defaults or {})}
    reader = Reader(ad, site)
    letters = checks.job_letters(reader)
    _check(reader, letters, remote_inputs, need_vo)
    if reader.problems:
        raise _refusal(reader.problems)
    return _described(reader, letters, policy.requirements(reader, letters, site, add_default_requirements))


def completed(description: JobDescription) -> Ad:
    """The record with the policy that applies (Requirements, Rank, retries) written into it."""
    values: tuple[Node, ...] = (description.requirements, description.rank, Literal(description.retry_count),
                                Literal(description.shallow_retry_count))
    return description.ad.changed(dict(zip(policy.NAMES, values, strict=True)))


# -- checking --------------------------------------------------------------------------------------------


def _check(reader: Reader, letters: str, remote_inputs: bool, need_vo: bool) -> None:
    for name in ("Requirements", "Rank"):
        reader.get(name)
    checks.input_sandbox(reader, letters, remote=remote_inputs)
    _mandatory(reader, letters)
    for rule in checks.COMPOUND_RULES if letters in "KD" else checks.JOB_RULES:
        rule(reader, letters)
    reader.check_table(letters)
    if need_vo and not reader.get("VirtualOrganisation"):
        reader.problem("VirtualOrganisation", MISSING)


def _mandatory(reader: Reader, letters: str) -> None:
    for name in dict.fromkeys(name for letter in letters for name in _NEEDED[letter]):
        if reader.node(name) is None:
            reader.problem(name, MISSING)


def _refusal(problems: Sequence[Mapping[str, Any]]) -> JdlInvalid:
    """All messages, one a line."""
    return JdlInvalid("\n".join(problem["message"] for problem in problems), problems=list(problems))


# -- the record ------------------------------------------------------------------------------------------


def _described(reader: Reader, letters: str, requirements: Node) -> JobDescription:
    def text(name: str) -> str:
        return str(reader.get(name, ""))

    expiry = reader.get("ExpiryTime")
    job_types = tuple(JOB_TYPES[letter] for letter in letters)
    return JobDescription(
        type=job_types[0] if letters in "KD" else "Job", job_types=job_types,
        executable=text("Executable"), arguments=text("Arguments"),
        std_input=text("StdInput"), std_output=text("StdOutput"), std_error=text("StdError"),
        input_sandbox=tuple(reader.list_of("InputSandbox")), input_names=tuple(checks.sandbox_names(reader)),
        output_sandbox=tuple(reader.list_of("OutputSandbox")), environment=_environment(reader),
        container=text("Container"), container_binds=tuple(reader.list_of("ContainerBinds")),
        prologue=text("Prologue"), prologue_arguments=text("PrologueArguments"),
        epilogue=text("Epilogue"), epilogue_arguments=text("EpilogueArguments"),
        requirements=requirements, rank=policy.rank(reader, letters),
        fuzzy_rank=reader.get("FuzzyRank", False), fuzzy_factor=float(reader.get("fuzzy_factor", 1.0)),
        retry_count=reader.get("RetryCount"), shallow_retry_count=reader.get("ShallowRetryCount"),
        virtual_organisation=text("VirtualOrganisation"), my_proxy_server=text("MyProxyServer"),
        submit_to=text("SubmitTo"), expiry_time=None if expiry is None else float(expiry),
        user_tags=_tags(reader), cpu_number=policy.cpu_number(reader),
        host_number=reader.get("HostNumber", 0), whole_nodes=reader.get("WholeNodes", False),
        smp_granularity=reader.get("SMPGranularity", 0),
        priority=reader.get("Priority", 0), lazy=reader.get("LazyMatching"),
        short_deadline=reader.get("ShortDeadlineJob", False), wms_feedback=reader.get("EnableWmsFeedback", False),
        input_data=tuple(reader.list_of("InputData")), stage_input_data=reader.get("StageInputData", False),
        data_access_protocols=tuple(reader.list_of("DataAccessProtocol")), output_se=text("OutputSE"),
        job_steps=_steps(reader), current_step=reader.get("CurrentStep", 0),
        perusal=reader.get("PerusalFileEnable", False), perusal_interval_s=reader.get("PerusalTimeInterval", 0),
        ad=reader.ad, warnings=tuple(reader.warnings),
    )


def _environment(reader: Reader) -> tuple[tuple[str, str], ...]:
    items = [item.partition("=") for item in reader.list_of("Environment")]
    pairs = [(name, value) for name, _, value in items]
    accounting = reader.get("HLRLocation")
    return (*pairs, ("HLR_LOCATION", accounting)) if accounting else tuple(pairs)


def _steps(reader: Reader) -> tuple[str, ...]:
    """The labels of the steps; numbered from 0 when only their number is given."""
    steps = reader.get("JobSteps", 0)
    return tuple(steps) if isinstance(steps, list) else tuple(map(str, range(steps)))


def _tags(reader: Reader) -> Mapping[str, str]:
    return MappingProxyType({name: str(text_of(value)) for name, value in reader.get("UserTags", {}).items()})
