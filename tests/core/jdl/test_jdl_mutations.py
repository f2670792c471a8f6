"""Descriptions that were damaged on their way: a description or a JdlError, and nothing else."""

from hypothesis import given, settings
from hypothesis import strategies as st
from jdl_trees import JDL_WORDS

from tests.examples import examples
from wms.errors import JdlError
from wms.jdl.attributes import ATTRIBUTES
from wms.jdl.description import completed, describe
from wms.jdl.parser import parse
from wms.jdl.unparse import pretty

WHOLE = r"""[
  Type = "Job"; JobType = {"Normal", "Checkpointable"};
  # a comment of its own line
  Executable = "run.sh"; Arguments = "-a \"quoted string\" -b \\\& $HOME"; // the rest
  StdInput = "/etc/in"; StdOutput = "std.out"; StdError = “std.err”;
  InputSandbox = {"run.sh", "data/*.dat"}; OutputSandbox = {"std.out", "std.err"};
  Environment = {"A=1", "B=x=y"}; Prologue = "$VO_DIR/pro"; PrologueArguments = "1";
  Requirements = (Member("X-1.2", other.Tags) || !regexp("^ce[0-9]+\.", other.Id, "i")) && other.Free >= 10K;
  Rank = other.Total == 0 ? -1.5e3 : -other.Waiting * 1.0 / other.Total;
  InputData = {"lfn:/a"}; DataAccessProtocol = "gsiftp"; OutputData = {[OutputFile = "o"; LogicalFileName = "lfn:o"]};
  JobSteps = {"a", "b"}; CurrentStep = 1; UserTags = [ campaign = "c"; n = 0x1F; f = parent.Rank ];
  RetryCount = 3; ExpiryTime = 1700000000; UserContact = "a@b"; mine = {1, {2.5, undefined}, error};
]"""
PIECES = st.sampled_from([*JDL_WORDS, *(row.name for row in ATTRIBUTES), "= 1;", "= {};", "other.", "anyMatch("])
EDITS = st.lists(st.tuples(st.integers(0, len(WHOLE)), st.integers(0, 40), PIECES | st.just("")), max_size=5)


def damaged(edits):
    text = WHOLE
    for start, length, piece in edits:
        text = text[:start] + piece + text[start + length:]
    return text


def outcome(text):
    try:
        return describe(parse(text))
    except JdlError as error:
        return error.details["problems"]


def test_the_undamaged_description_is_right():
    assert outcome(WHOLE).executable == "run.sh"


@given(EDITS)
@settings(max_examples=examples(400), deadline=None)
def test_a_damaged_description_is_described_or_refused_with_places(edits):
    found = outcome(damaged(edits))
    if isinstance(found, list):
        assert found
        assert all(problem["row"] >= 1 and problem["column"] >= 1 and problem["message"] for problem in found)
    else:
        assert outcome(pretty(completed(found))).executable == found.executable
