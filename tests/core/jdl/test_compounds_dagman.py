"""A DAG of DAGMan becomes one of ours: each word of its files, and what is refused at which line."""

from __future__ import annotations

import pytest

from wms.errors import JdlError
from wms.jdl.ast import Ad, ListNode
from wms.jdl.compounds import expanded
from wms.jdl.compounds.condor import job
from wms.jdl.compounds.dagman import imported, submit_files
from wms.jdl.compounds.lines import lines
from wms.jdl.described import described
from wms.jdl.description import JobDescription, describe
from wms.jdl.parser import parse

SUBMIT = "executable = run.sh\nqueue\n"


def dag(text: str, **files: str) -> tuple[Ad, tuple[str, ...]]:
    return imported(text, "w.dag", {name: files.get(name.replace("/", "_"), SUBMIT)
                                    for name in submit_files(text, "w.dag")})


def of(text: str, directory: str = "", **variables: str) -> JobDescription:
    return describe(job(f"executable = run.sh\n{text}\nqueue 1\n", "s", variables, "A", directory)[0])


def refusal(text: str) -> str:
    with pytest.raises(JdlError) as refused:
        dag(text)
    return refused.value.message


# -- the DAG file ----------------------------------------------------------------------------------------


def test_a_diamond() -> None:
    ad, warnings = dag("""# diamond
        JOB A a
        job B b
        JOB C b
        JOB D d
        PARENT A CHILD B C
        PARENT B C \\
          CHILD D
        RETRY ALL_NODES 2
        RETRY D 5 UNLESS-EXIT 3
        PRIORITY B 10
        DOT w.dot
        """)
    found = expanded(ad)
    assert [found.name(index) for index in range(4)] == ["A", "B", "C", "D"]
    assert found.edges == ((0, 1), (0, 2), (1, 3), (2, 3))
    assert [described(found.jdl(index)).retry_count for index in range(4)] == [2, 2, 2, 5]
    assert described(found.jdl(1)).priority == 10
    assert warnings == ("w.dag:10: UNLESS-EXIT 3 is ignored", "w.dag:12: DOT is ignored")


def test_what_is_done_is_left_out_and_holds_nobody_up() -> None:
    found = expanded(dag("JOB A a DONE\nJOB B b\nJOB C b\nPARENT A CHILD B\nPARENT A B CHILD C")[0])
    assert ([found.name(0), found.name(1)], found.edges) == (["B", "C"], ((0, 1),))
    assert submit_files("JOB A a DONE\nJOB B b", "w.dag") == ["b"]


def test_directories_are_those_of_the_files() -> None:
    text = "JOB A a DIR sub\nJOB B /abs/b DIR sub"
    assert submit_files(text, "w.dag") == ["sub/a", "/abs/b"]
    nodes = dag(text)[0].get("Nodes")
    assert isinstance(nodes, ListNode)
    assert [describe(one).input_sandbox for one in nodes.items if isinstance(one, Ad)] == [("sub/run.sh",)] * 2


def test_variables_of_a_node() -> None:
    ad, _ = dag('JOB A a\nVARS A n="3" who="\\"x\\" y"\nVARS A n="4"',
                a="executable = r\narguments = $(n) $(JOB) $(who) $(z:dflt)\nqueue")
    assert described(expanded(ad).jdl(0)).arguments == "4 A '\"x\"' y dflt"


@pytest.mark.parametrize(("lines_", "most", "warned"), [
    ("CATEGORY A c\nCATEGORY B c\nMAXJOBS c 3", 3, ()), ("MAXJOBS c 3", 0, ()),
    ("CATEGORY A c\nMAXJOBS c 3", 0, ("w.dag: MAXJOBS c is ignored: not all nodes are of this category",)),
    ("CATEGORY A c\nCATEGORY B c", 0, ())])
def test_a_limit_of_the_one_category_is_that_of_the_dag(lines_: str, most: int, warned: tuple[str, ...]) -> None:
    ad, warnings = dag(f"JOB A a\nJOB B b\n{lines_}")
    assert (expanded(ad).max_running_nodes, warnings) == (most, warned)


@pytest.mark.parametrize(("text", "says"), [
    ("SUBDAG EXTERNAL A b", "w.dag:1: SUBDAG is not supported: a DAG inside a DAG"),
    ("JOB A a\nSCRIPT PRE A x", "w.dag:2: SCRIPT is not supported: nothing of a user runs at the service"),
    ("final A a", "w.dag:1: FINAL is not supported"), ("JOBB A a", "w.dag:1: 'JOBB' is no word of a DAG file"),
    ("JOB A", "JOB needs a name and a submit file"), ("JOB A a NOOP", "JOB ... NOOP is not supported"),
    ("JOB A a\nJOB A b", "w.dag:2: Duplicated NodeName(A)"), ("JOB A a DONE", "no JOB is left to run"), ("", "no JOB"),
    ("JOB A a\nPARENT A", "PARENT needs its nodes, CHILD and theirs"), ("PARENT CHILD A", "PARENT needs"),
    ("JOB A a\nPARENT A CHILD B", "w.dag:2: there is no JOB B"), ("RETRY A x", "RETRY needs a node and a number"),
    ("RETRY A -1", "RETRY needs"), ("PRIORITY A", "PRIORITY needs a node and a number"),
    ("VARS A", "VARS needs a node"), ("VARS", "VARS needs a node"), ('VARS A x="1" y', "VARS needs a node"),
    ("CATEGORY A", "CATEGORY needs a node and a name"), ("MAXJOBS c 0", "MAXJOBS needs a category and a number")])
def test_what_is_refused_names_its_line(text: str, says: str) -> None:
    assert says in refusal(text)


def test_a_refusal_has_its_place() -> None:
    with pytest.raises(JdlError) as refused:
        dag("JOB A a\n\n# x\nBAD")
    assert (refused.value.details["file"], refused.value.details["row"]) == ("w.dag", 4)


# -- submit files ----------------------------------------------------------------------------------------


def test_a_whole_submit_file() -> None:
    found = of('universe = vanilla\ninput = in/data\noutput = out/o.$(Process)\nerror = e\nlog = l\n'
               "transfer_input_files = a, /abs/b ,\ntransfer_output_files = r1,r2\nrequest_cpus = 4\n"
               'request_memory = 2GB\nenvironment = "A=1 B=\'x y\'"\npriority = 3', "d")
    assert (found.executable, found.std_input, found.std_output, found.std_error) == ("run.sh", "data", "o.0", "e")
    assert found.input_sandbox == ("d/run.sh", "d/in/data", "d/a", "/abs/b")
    assert found.output_sandbox == ("o.0", "e", "r1", "r2")
    assert (found.smp_granularity, found.priority) == (4, 3)
    assert found.environment == (("A", "1"), ("B", "x y"))
    assert found.ad.get("Requirements") == parse("R = other.GlueHostMainMemoryRAMSize >= 2048").get("R")


@pytest.mark.parametrize(("size", "megabytes"), [("100", 100), ("1 GB", 1024), ("1K", 1), ("3M", 3), ("1T", 1 << 20)])
def test_memory_is_in_megabytes(size: str, megabytes: int) -> None:
    assert of(f"request_memory = {size}").ad.get("Requirements") == parse(
        f"R = other.GlueHostMainMemoryRAMSize >= {megabytes}").get("R")


def test_an_executable_may_be_on_the_worker_node() -> None:
    found = describe(job("executable = /bin/date\ntransfer_executable = False\nqueue", "s", {}, "A")[0])
    assert (found.executable, found.input_sandbox) == ("/bin/date", ())


@pytest.mark.parametrize(("written", "arguments"), [
    ("a b", "a b"), ('-x \\"q\\"', "-x '\"q\"'"), ('"one \'two three\' ""q"" \'it\'\'s\'"', "one 'two three' '\"q\"' "
                                                 "'it'\"'\"'s'"), ("", ""), ('""', ""), ("\"''\"", "''")])
def test_arguments_in_both_syntaxes(written: str, arguments: str) -> None:
    assert of(f"arguments = {written}").arguments == arguments


def test_the_older_environment() -> None:
    assert of("environment = A=1; B=2;").environment == (("A", "1"), ("B", "2"))


def test_unknown_commands_are_warnings_with_their_place() -> None:
    text = "executable = a\nrequirements = x\nmine = 5\narguments = $(mine)\n+Project = 1\nqueue"
    _, warnings = job(text, "f", {}, "A")
    assert warnings == ["f:2: requirements is ignored", "f:5: +project is ignored"]


@pytest.mark.parametrize(("text", "says"), [
    ("queue", "f:1: there is no executable"), ("executable = a", "f:1: nothing is queued"),
    ("executable = a\nqueue 2", "f:2: a node queues one job"), ("executable = a\nqueue\nqueue", "f:3: a node queues"),
    ("executable a\nqueue", "f:1: 'command = value' expected"),
    ("executable = $(x)\nqueue", "f:1: the macro $(x) is not defined"),
    ("executable = a\na = $(b)\nb = $(a)\narguments = $(a)\nqueue", "f:4: a macro refers to itself"),
    ("executable = a\nuniverse = docker\nqueue", "f:2: a job of universe docker cannot be run"),
    ("executable = a\nrequest_cpus = many\nqueue", "f:2: a number expected, not 'many'"),
    ("executable = a\nrequest_memory = lots\nqueue", "f:2: a size expected"),
    ('executable = a\narguments = "x\nqueue', "f:2: a closing quote expected"),
    ("executable = a\narguments = \"'x\"\nqueue", "f:2: a closing quote expected")])
def test_what_submit_files_are_refused(text: str, says: str) -> None:
    with pytest.raises(JdlError) as refused:
        job(text, "f", {}, "A")
    assert says in refused.value.message


def test_lines_go_on_and_comments_go() -> None:
    found = list(lines("# c\n\n a \\\n  b\n#d\nc \\", "f", "\\"))
    assert found == [("a  b", "f:3"), ("c", "f:6")]
