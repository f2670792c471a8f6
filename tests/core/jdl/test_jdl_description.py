"""What makes a job description acceptable, what is said when it is not, and what it then asks for."""

import itertools

import pytest

from wms.errors import JdlInvalid
from wms.jdl.ast import Ad, Literal, Warned
from wms.jdl.attributes import ATTRIBUTES, BY_NAME, JOB_TYPES, KINDS, meant, reserved
from wms.jdl.checks import EXCLUSIVE
from wms.jdl.description import DEFAULTS, completed, describe
from wms.jdl.parser import parse, parse_expression
from wms.jdl.roles import ADDED, IGNORED, USED, added_by, used_by
from wms.jdl.unparse import unparse

MINIMAL = 'Executable = "test.sh"; InputSandbox = "test.sh";'
FULL = (
    MINIMAL
    + """
 Type = "job"; JobType = {"normal"}; Arguments = "-a $HOME"; StdInput = "/etc/in";
 StdOutput = "out"; StdError = "./err";
 OutputSandbox = {"out", "err"}; Environment = {"A=1", "B=x=y"}; HLRLocation = "hlr.infn.it:56568:/C=IT/CN=hlr";
 Prologue = "$VO_DIR/pro"; PrologueArguments = "1"; Epilogue = "/bin/epi"; EpilogueArguments = "2";
 Requirements = other.Free > 1; Rank = other.Free; FuzzyRank = true; fuzzy_factor = 2; RetryCount = 1;
 ShallowRetryCount = -1; VirtualOrganisation = "atlas"; MyProxyServer = "px.cern.ch:7512";
 SubmitTo = "ce:2119/jobmanager-pbs-long";
 ExpiryTime = 1000; UserTags = [ Campaign = "x"; n = 3 ]; CpuNumber = 4; HostNumber = 2; InputData = "lfn:/a";
 DataAccessProtocol = {"gsiftp", "file"}; OutputSE = "se.infn.it"; mine = 1;
 OutputData = {[OutputFile = "out"], [OutputFile = "err"; LogicalFileName = "lfn:e"]}"""
)


def messages(text, **options):
    with pytest.raises(JdlInvalid) as caught:
        describe(parse(text), **options)
    problems = [problem["message"] for problem in caught.value.details["problems"]]
    assert caught.value.message.split("\n") == problems
    return problems


def job(text="", **options):
    return describe(parse(MINIMAL + text), **options)


def warnings(text):
    return [warning.message for warning in describe(parse(text)).warnings]


# -- what is described -------------------------------------------------------------------------------------


def test_the_minimal_job_has_the_default_policy():
    described = job()
    assert (described.type, described.job_types, described.executable) == ("Job", ("Normal",), "test.sh")
    assert unparse(described.requirements) == 'other.GlueCEStateStatus == "Production"'
    assert unparse(described.rank) == "-other.GlueCEStateEstimatedResponseTime"
    assert (described.retry_count, described.shallow_retry_count, described.cpu_number) == (3, 3, 1)
    assert (described.arguments, described.environment, described.expiry_time) == ("", (), None)


def test_everything_a_job_may_say():
    described = describe(parse(FULL))
    assert described.environment == (("A", "1"), ("B", "x=y"), ("HLR_LOCATION", "hlr.infn.it:56568:/C=IT/CN=hlr"))
    assert unparse(described.requirements) == (
        'other.Free > 1 && other.GlueCEStateStatus == "Production" && other.GlueCEInfoTotalCPUs >= 4 '
        "&& other.GlueHostArchitectureSMPSize >= 2"
    )
    assert described.rank == parse_expression("other.Free")
    assert (described.fuzzy_rank, described.fuzzy_factor, described.retry_count) == (True, 2.0, 1)
    assert (described.shallow_retry_count, described.virtual_organisation) == (-1, "atlas")
    assert (described.my_proxy_server, described.submit_to) == ("px.cern.ch:7512", "ce:2119/jobmanager-pbs-long")
    assert (described.expiry_time, dict(described.user_tags)) == (1000.0, {"Campaign": "x", "n": "3"})
    assert (described.input_data, described.data_access_protocols) == (("lfn:/a",), ("gsiftp", "file"))
    assert (described.input_sandbox, described.input_names) == (("test.sh",), ("test.sh",))
    assert (described.prologue, described.epilogue_arguments) == ("$VO_DIR/pro", "2")
    assert described.ad == parse(FULL)
    assert described.warnings == ()


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("Requirements = other.A", 'other.A && other.GlueCEStateStatus == "Production"'),
        (
            'Requirements = other.GlueCEStateStatus == "Production" && other.A',
            'other.GlueCEStateStatus == "Production" && other.A',
        ),
        ("SMPGranularity = 4", 'other.GlueCEStateStatus == "Production" && other.GlueHostArchitectureSMPSize >= 4'),
        ("NodeNumber = 3", 'other.GlueCEStateStatus == "Production" && other.GlueCEInfoTotalCPUs >= 3'),
        ("CpuNumber = 1; HostNumber = 1", 'other.GlueCEStateStatus == "Production"'),
        (
            "CpuNumber = 8; HostNumber = 3; WholeNodes = true",
            'other.GlueCEStateStatus == "Production" && other.GlueCEInfoTotalCPUs >= 8',
        ),
        (
            'JobType = "Interactive"',
            'other.GlueCEStateStatus == "Production" && other.GlueHostNetworkAdapterOutboundIP',
        ),
        (
            'JobType = "MPICH"; CpuNumber = 2',
            'other.GlueCEStateStatus == "Production" && Member("MPICH", '
            "other.GlueHostApplicationSoftwareRunTimeEnvironment) && other.GlueCEInfoTotalCPUs >= 2",
        ),
        (
            'JobType = "MPICH"; CpuNumber = 2; lrms_type = "pbs"; Requirements = true',
            'true && other.GlueCEStateStatus == "Production" && Member("MPICH", '
            "other.GlueHostApplicationSoftwareRunTimeEnvironment) && other.GlueCEInfoTotalCPUs >= 2 && "
            'other.GlueCEInfoLRMSType == "pbs"',
        ),
    ],
)
def test_the_condition_is_the_users_the_default_and_what_the_job_implies(text, condition):
    assert unparse(job(text).requirements) == condition


def test_the_default_condition_can_be_left_to_jobs_without_one():
    assert unparse(job("Requirements = other.A", add_default_requirements=False).requirements) == "other.A"
    assert job(add_default_requirements=False).requirements == DEFAULTS["Requirements"]


def test_defaults_fill_what_is_absent():
    defaults = {"Rank": parse_expression("other.B"), "retrycount": Literal(7), "MyProxyServer": Literal("px")}
    described = job('RetryCount = 2; JobType = "MPICH"; NodeNumber = 2', defaults=defaults)
    assert (described.rank, described.retry_count, described.my_proxy_server) == (parse_expression("other.B"), 2, "px")
    assert unparse(job('JobType = "MPICH"; NodeNumber = 2').rank) == "other.GlueCEStateFreeCPUs"


def test_describing_what_was_completed_changes_nothing():
    for text in (MINIMAL, FULL, MINIMAL + 'JobType = "MPICH"; NodeNumber = 2; Requirements = other.A || other.B'):
        described = describe(parse(text))
        again = describe(completed(described))
        assert (again.requirements, again.rank, again.retry_count) == (
            described.requirements,
            described.rank,
            described.retry_count,
        )
        assert completed(again) == completed(described)


@pytest.mark.parametrize(
    ("text", "types"),
    [
        ('JobType = {"Interactive", "Checkpointable"}', ("Interactive", "Checkpointable")),
        ('JobType = "parametric"; Parameters = 10', ("Parametric",)),
        ('JobType = {"Normal", "Parametric"}; Parameters = {1}', ("Parametric",)),
        ('JobType = "partitionable"; JobSteps = {"a", "b"}; StepWeight = {1, 2}', ("Partitionable",)),
        ('JobType = "checkpointable"; JobSteps = 10; CurrentStep = 2', ("Checkpointable",)),
    ],
)
def test_special_types_of_job_are_described(text, types):
    assert job(text).job_types == types


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ('Type = "Collection"; Nodes = {[Executable = "/bin/a"]}', "Collection"),
        ('Type = "dag"; Nodes = [a = [file = "a.jdl"]; dependencies = {}]; max_running_nodes = 2', "DAG"),
    ],
)
def test_compounds_are_described_without_looking_at_their_nodes(text, kind):
    described = describe(parse(text))
    assert (described.type, described.job_types, described.executable) == (kind, (kind,), "")


def test_names_in_the_job_may_be_given():
    described = describe(
        parse('Executable = "run"; InputSandbox = {"a/x", "b/x"}; InputSandboxDestFileName = {"run", "x"}')
    )
    assert described.input_names == ("run", "x")


# -- what is refused ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Executable: Jdl mandatory attribute is missing"),
        (
            'Executable = "test.sh"',
            "Executable: Specified path 'test.sh' is missing: it must be in the InputSandbox or be an absolute path",
        ),
        ('Executable = {"a"}', "Executable: the attribute cannot be of list type"),
        ("Executable = 1", "Executable: wrong type caught for attribute (string expected)"),
        ("Executable = undefined_name", "Executable: wrong type caught for attribute (string expected)"),
        ('Executable = "/bin/a*"', "Executable: special characters are not allowed in '/bin/a*'"),
        ('Executable = ""', "Executable: special characters are not allowed in ''"),
        (MINIMAL + 'Type = "Sheet"', "Type: wrong value caught for attribute (Sheet; known: Job, DAG, Collection)"),
        (
            MINIMAL + 'JobType = "Fast"',
            "JobType: wrong value caught for attribute (fast; known: "
            "Normal | Interactive | MPICH | Checkpointable | Partitionable | Parametric)",
        ),
        (
            MINIMAL + 'JobType = {"Interactive", "MPICH"}; NodeNumber = 2',
            "JobType: Interactive and MPICH together are not supported",
        ),
        (
            MINIMAL + 'JobType = {"Parametric", "Partitionable"}; Parameters = 2; JobSteps = 2',
            "JobType: Parametric and Partitionable exclude each other",
        ),
        (MINIMAL + 'JobType = "MPICH"', "CpuNumber: Jdl mandatory attribute is missing"),
        (
            MINIMAL + 'JobType = "MPICH"; NodeNumber = 1',
            "NodeNumber: wrong value caught for attribute (must be greater than 1 for MPICH)",
        ),
        (MINIMAL + "CpuNumber = 2; NodeNumber = 3", "NodeNumber: 3 contradicts CpuNumber 2: they mean the same"),
        (MINIMAL + "CpuNumber = 0", "CpuNumber: value must be greater than 0"),
        (
            MINIMAL + "SMPGranularity = 2; HostNumber = 2",
            "SMPGranularity: not allowed together with HostNumber unless WholeNodes is true",
        ),
        (MINIMAL + 'JobType = "Parametric"', "Parameters: Jdl mandatory attribute is missing"),
        (
            MINIMAL + 'JobType = "Parametric"; Parameters = 3; ParameterStep = 0',
            "ParameterStep: JDL Attribute ParameterStep must be different from zero, division by zero not allowed",
        ),
        (MINIMAL + 'JobType = "Partitionable"', "JobSteps: Jdl mandatory attribute is missing"),
        (
            MINIMAL + 'JobType = "Partitionable"; JobSteps = 2; StepWeight = {1}',
            "StepWeight: JobSteps and StepWeight cardinalities are different",
        ),
        (
            MINIMAL + 'JobType = "Partitionable"; JobSteps = {1}',
            "JobSteps: wrong value caught for attribute (a list of labels)",
        ),
        (
            MINIMAL + 'JobType = "Partitionable"; JobSteps = 1; StepWeight = {"a"}',
            "StepWeight: wrong value caught for attribute (a list of integers)",
        ),
        (
            'Executable = "/a"; InputSandbox = {"a/x", "b/x"}',
            "InputSandbox: filename conflict found while extracting files. "
            "The following file is repeated more than once: 'x'",
        ),
        (
            'Executable = "/a"; InputSandbox = "gsiftp://h/x"',
            "InputSandbox: remote file 'gsiftp://h/x' is not allowed: use InputData, or copy it in the job",
        ),
        (
            'Executable = "/a"; InputSandboxBaseURI = "gsiftp://h/x"',
            "InputSandboxBaseURI: remote files are not allowed in the InputSandbox",
        ),
        (
            'Executable = "/a"; InputSandbox = "x"; InputSandboxDestFileName = {}',
            "InputSandboxDestFileName: InputSandbox and InputSandboxDestFileName cardinalities are different",
        ),
        (
            'Executable = "/a"; InputSandbox = "x"; InputSandboxDestFileName = {1}',
            "InputSandboxDestFileName: wrong value caught for attribute (a list of strings)",
        ),
        (
            MINIMAL + 'Arguments = "a | b"',
            r"Arguments: | has no meaning here; for the character, write it as \\\| in the JDL",
        ),
        (
            MINIMAL + 'PrologueArguments = "1"',
            "PrologueArguments: attributes group not complete, the attributes have to be specified all togheter",
        ),
        (
            MINIMAL + 'StdInput = "data/x"',
            "StdInput: Specified path 'data/x' is missing: it must be in the InputSandbox or be an absolute path",
        ),
        (MINIMAL + 'StdOutput = "../x"; OutputSandbox = "*"', "StdOutput: '../x' leaves the directory of the job"),
        (MINIMAL + 'StdOutput = "../x"; JobType = "Interactive"', "StdOutput: '../x' leaves the directory of the job"),
        (
            MINIMAL + 'StdOutput = "x"; StdError = "./x"; OutputSandbox = "x"',
            "StdError: './x' is the file of StdOutput; spell it 'x'",
        ),
        (
            MINIMAL + 'OutputSandbox = {"a/x", "x"}',
            "OutputSandbox: filename conflict found while extracting files. "
            "The following file is repeated more than once: 'x'",
        ),
        (
            MINIMAL + 'OutputSandbox = "x"; OutputSandboxDestURI = {"a", "b"}',
            "OutputSandboxDestURI: OutputSandbox and OutputSandboxDestURI cardinalities are different",
        ),
        (
            MINIMAL + 'OutputSandbox = "*"; OutputSandboxDestURI = "a"',
            "OutputSandbox: wildcards are not allowed together with OutputSandboxDestURI",
        ),
        (
            MINIMAL + 'OutputSandbox = "x"; OutputSandboxDestURI = "a"; OutputSandboxBaseDestURI = "gsiftp://h/d"',
            "OutputSandboxDestURI: not allowed together with OutputSandboxBaseDestURI",
        ),
        (
            MINIMAL + 'OutputSandboxBaseDestURI = "/d"',
            "OutputSandboxBaseDestURI: wrong format caught for attribute. "
            "The right format is: 'gsiftp://<address> or https://<address>'",
        ),
        (
            MINIMAL + 'Environment = {"A=1", "=2"}',
            "Environment: wrong format caught for attribute. The right format is: '<variable>=<value>'",
        ),
        (
            MINIMAL + 'InputData = "lfn:x"',
            "DataAccessProtocol: InputData||DataRequirements,DataAccessProtocol "
            "attributes group not complete, the attributes have to be specified all togheter",
        ),
        (
            MINIMAL + 'InputData = "x"; DataAccessProtocol = "file"',
            "InputData: wrong format caught for attribute. The right format is: 'lfn:<name> or guid:<id>'",
        ),
        (
            MINIMAL
            + 'InputData = "lfn:x"; DataAccessProtocol = "file"; '
            + 'DataRequirements = [InputData = "lfn:y"; DataCatalogType = "dli"]',
            "InputData: not allowed together with DataRequirements",
        ),
        (
            MINIMAL + 'OutputData = {[LogicalFileName = "lfn:x"]}',
            "OutputData: OutputFile: Jdl mandatory attribute is missing",
        ),
        (
            MINIMAL + 'OutputData = {[OutputFile = "kept"], [OutputFile = "../x"]}',
            "OutputData: '../x' leaves the directory of the job",
        ),
        (MINIMAL + "Rank = other.DataAccessCost", "Rank: other.DataAccessCost needs InputData and DataAccessProtocol"),
        (
            MINIMAL + 'Rank = other.DataAccessCost + 1; InputData = "lfn:x"; DataAccessProtocol = "file"',
            "Rank: other.DataAccessCost must be alone",
        ),
        (MINIMAL + 'Requirements = "other.A"', "Requirements: wrong type caught for attribute (expression expected)"),
        (MINIMAL + "RetryCount = -1", "RetryCount: wrong value caught for attribute (must be at least 0)"),
        (MINIMAL + "RetryCount = 1.5", "RetryCount: wrong type caught for attribute (integer expected)"),
        (
            MINIMAL + "ShallowRetryCount = -2",
            "ShallowRetryCount: wrong value caught for attribute (must be at least -1)",
        ),
        (
            MINIMAL + 'MyProxyServer = "a b"',
            "MyProxyServer: wrong format caught for attribute. The right format is: '<host>[:<port>]'",
        ),
        (
            MINIMAL + 'UserContact = "a@b@c"',
            "UserContact: wrong format caught for attribute. The right format is: '<user>@<host>'",
        ),
        (
            MINIMAL + 'SubmitTo = "ce"',
            "SubmitTo: wrong format caught for attribute. "
            "The right format is: '<full-hostname>:<port>/jobmanager-<service>-<queue>'",
        ),
        (MINIMAL + "ListenerPort = 4711", "ListenerPort: only allowed for Interactive jobs"),
        (
            MINIMAL + 'JobType = {"Interactive", "Parametric"}; Parameters = 3',
            "JobType: Interactive and Parametric exclude each other: nodes of a compound have no terminal",
        ),
        (
            MINIMAL + 'JobType = {"Interactive", "Partitionable"}; JobSteps = 3',
            "JobType: Interactive and Partitionable exclude each other: nodes of a compound have no terminal",
        ),
        (
            MINIMAL + 'JobType = {"Checkpointable", "Parametric"}; Parameters = 3',
            "JobType: Checkpointable and Parametric exclude each other",
        ),
        ('Type = "dag"; Nodes = []; node_type = "x"', "node_type: node_type not valid (x)"),
        (MINIMAL + "edg_jobid = 1", "edg_jobid: attribute edg_jobid is reserved"),
        (MINIMAL + "x509userproxy = 1", "x509userproxy: attribute x509userproxy is reserved"),
        (MINIMAL + "UserTags = 1", "UserTags: wrong type caught for attribute (record expected)"),
        ('Type = "dag"', "Nodes: Jdl mandatory attribute is missing"),
        ('Type = "dag"; Nodes = {[a = 1]}', "Nodes: 'nodes' not valid (a record expected)"),
        ('Type = "collection"; Nodes = [a = 1]', "Nodes: 'nodes' not valid (a list of records expected)"),
        ('Type = "collection"; Nodes = {}', "Nodes: 'nodes' not valid (empty)"),
        (
            'Type = "dag"; Nodes = []; max_running_nodes = 0',
            "max_running_nodes: 'max_running_nodes' has to be an integer > 0",
        ),
    ],
)
def test_each_rule(text, message):
    assert messages(text or "a = 1") == [message]


def test_data_requirements_name_their_data_and_catalogue():
    assert messages(
        MINIMAL + 'DataRequirements = {[DataCatalogType = 1], [InputData = "lfn:x"; DataCatalogType = "x"]}; '
        'DataAccessProtocol = "file"'
    ) == [
        "DataRequirements: InputData: Jdl mandatory attribute is missing",
        "DataRequirements: DataCatalogType: wrong value caught for attribute (known: DLI, SI, RLS)",
        "DataRequirements: DataCatalogType: wrong value caught for attribute (known: DLI, SI, RLS)",
    ]


def test_all_problems_are_told_in_the_order_of_the_checks_with_their_place():
    with pytest.raises(JdlInvalid) as caught:
        describe(
            parse('RetryCount = "x";\nStdOutput = "/x";\nInputSandbox = {"a/b", "c/b"};\nRank = {1};'), need_vo=True
        )
    assert [(each["attribute"], each["row"]) for each in caught.value.details["problems"]] == [
        ("Rank", 4),
        ("InputSandbox", 3),
        ("Executable", 1),
        ("StdOutput", 2),
        ("RetryCount", 1),
        ("VirtualOrganisation", 1),
    ]


def test_the_server_wants_a_virtual_organisation():
    assert messages(MINIMAL, need_vo=True) == ["VirtualOrganisation: Jdl mandatory attribute is missing"]
    assert job('VirtualOrganisation = "cms"', need_vo=True).virtual_organisation == "cms"


def test_remote_input_can_be_allowed():
    text = 'Executable = "x"; InputSandboxBaseURI = "gsiftp://h/d"; InputSandbox = {"https://h/d/x?a=b/c"}'
    assert describe(parse(text), remote_inputs=True).input_names == ("x",)


# -- what is only remarked ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('StdOutput = "out"', "StdOutput 'out' is not in the OutputSandbox and will not come back"),
        ("Requirments = true", "unknown attribute 'Requirments' is kept as yours; did you mean 'Requirements'?"),
        ("JobSteps = 3", "JobSteps has no meaning for this type of job and is ignored"),
        ('StdError = "a"; JobType = "Interactive"', "StdError has no meaning for this type of job and is ignored"),
    ],
)
def test_remarks(text, message):
    assert warnings(MINIMAL + text) == [message]


def test_own_attributes_are_no_matter():
    assert warnings(MINIMAL + f'mine = 1; Xyz = other.A; {"a" * 100} = 1; StdOutput = "x"; OutputSandbox = "./x"') == []


def test_remarks_have_a_place_and_follow_those_of_the_parser():
    described = describe(parse('Executable =\t"/bin/ls";\nStdError = "x"'))
    assert described.warnings == (
        Warned(1, 13, "a tab was read as a blank"),
        Warned(2, 12, "StdError 'x' is not in the OutputSandbox and will not come back"),
    )


def test_an_empty_record_is_no_job():
    with pytest.raises(JdlInvalid, match="Executable: Jdl mandatory attribute is missing"):
        describe(Ad())


# -- the table ---------------------------------------------------------------------------------------------


def test_the_table_is_consistent():
    assert len(BY_NAME) == len(ATTRIBUTES)
    for row in ATTRIBUTES:
        assert row.kind in KINDS
        assert set(row.mandatory) <= set(row.jobs) <= set(JOB_TYPES)
        assert row.doc
        assert not reserved(row.name)
        assert meant(row.name + "x") == row.name or len(row.name) < 8


def test_defaults_of_the_table_satisfy_their_own_rows():
    for row in ATTRIBUTES:
        if row.default and set("N") & set(row.jobs):
            assert job(f"{row.name} = {row.default}")


# -- the table and the people behind it --------------------------------------------------------------------


def test_every_attribute_is_used_by_someone_or_said_to_be_ignored():
    names = {row.name for row in ATTRIBUTES}
    told = {name for listed in (*ADDED.values(), *USED.values(), IGNORED) for name in listed.split()}
    assert told <= names
    assert {name for name in names if not used_by(name)} == set(IGNORED.split())
    assert added_by("Rank") == ("client",)


def test_job_types_combine_unless_they_exclude_each_other():
    letters = [letter for letter in JOB_TYPES if letter not in "KDN"]
    for first, second in itertools.combinations(letters, 2):
        types = f'JobType = {{"{JOB_TYPES[first]}", "{JOB_TYPES[second]}"}};'
        text = types + "CpuNumber = 2; Parameters = 2; JobSteps = 2;"
        excluded = {first, second} in map(set, EXCLUSIVE)
        if excluded:
            assert len(messages(MINIMAL + text)) == 1
        else:
            assert set(job(text).job_types) == {JOB_TYPES[first], JOB_TYPES[second]}


def test_a_long_list_of_words_is_split_soon():
    assert job('Arguments = "' + "\\\\'" * 100_000 + '"').arguments
