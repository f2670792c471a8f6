"""What a check of a computing element asks: the probes as a table, the text of its test jobs, what their output says.

Pure. Not the doing (wms.ce.checking). The test jobs need nothing but a POSIX sh.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from wms.operations.ces import Probe

OK, FAILS, UNKNOWN = "ok", "fails", "unknown"
EXIT_STATUS = 7
"""What the test job ends with: an exit status that a CE loses is known by it."""
MARK = "WMS-CHECK"
RENEWED_S = 90
"""So long the test job waits for its fresh credential."""
MOST_SKEW_S = 60.0


class Row(NamedTuple):
    """A probe: its name, what it finds out, and the longest it may take (s)."""

    name: str
    about: str
    bound_s: float = 60.0


PROBES: tuple[Row, ...] = (
    Row("answers", "The CE describes its queues."),
    Row("queue", "The queue that is checked takes jobs."),
    Row("submission", "A job is taken.", 180.0),
    Row("once", "The same token again is the same job."),
    Row("states", "The job is seen to wait, to run and to end.", 900.0),
    Row("output", "What the job prints comes back: the second channel of outcomes."),
    Row("exit status", "The exit status of the job is known."),
    Row("accounting", "The CE says what the job used."),
    Row("proxy", "The job finds its proxy file."),
    Row("token", "The job finds its access token."),
    Row("renewal", "Credentials are replaced in place while the job runs."),
    Row("tools", "The worker node has what the wrapper transfers files with."),
    Row("containers", "The worker node has Apptainer."),
    Row("cvmfs", "The worker node has /cvmfs."),
    Row("outbound", "The worker node reaches the Network Server and knows its CA."),
    Row("clock", "The clock of the worker node is right."),
    Row("cancel", "A running job is cancelled, and its processes end.", 180.0),
    Row("clean", "Nothing of the test jobs stays at the CE."),
)
BOUNDS: Mapping[str, float] = {row.name: row.bound_s for row in PROBES}
TRANSFERS = ("curl", "python3", "wget")
TOOLS = (*TRANSFERS, "sha256sum", "setsid", "openssl", "apptainer")

_JOB = r"""#!/bin/sh
# the test job of a check
say() { printf '%s\n' "@MARK@ $*"; }
size() { if [ -s "$1" ]; then wc -c < "$1" | tr -d ' '; else echo 0; fi; }
sum() { cksum < "$1" 2>/dev/null; }
before=$(sum "${X509_USER_PROXY:-/nowhere}") || before=none
say begin "$(date +%s)"
say node "$(uname -n)"
say account "$(id -un 2>/dev/null)"
say proxy "$(size "${X509_USER_PROXY:-/nowhere}")"
say token "$(size "${BEARER_TOKEN_FILE:-/nowhere}")"
for tool in @TOOLS@; do
    if command -v "$tool" > /dev/null 2>&1; then say tool "$tool"; fi
done
if [ -d /cvmfs ]; then
    mounted=
    for one in /cvmfs/*; do
        if [ -e "$one" ]; then mounted="$mounted ${one#/cvmfs/}"; fi
    done
    say cvmfs "$mounted"
fi
ca=./.wms-check-ca.pem
cat > "$ca" <<'END_OF_CA'
@CA@
END_OF_CA
url='@URL@'
if command -v curl > /dev/null 2>&1; then
    reached=$(curl -sS -m 20 --cacert "$ca" -o /dev/null -w '%{http_code}' "$url" 2>&1) || :
    say outbound "curl $reached"
elif command -v python3 > /dev/null 2>&1; then
    reached=$(python3 -c 'import ssl, sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], timeout=20, context=ssl.create_default_context(cafile=sys.argv[2])).status)
' "$url" "$ca" 2>&1 | tail -n 1) || :
    say outbound "python3 $reached"
elif command -v wget > /dev/null 2>&1; then
    if wget -q -T 20 -t 1 --ca-certificate="$ca" -O /dev/null "$url"; then say outbound "wget 200"
    else say outbound "wget error"; fi
fi
rm -f "$ca"
now=$before
left=@RENEWED@
say ready "$(date +%s)"
while [ "$left" -gt 0 ] && [ "$now" = "$before" ] && [ "$before" != none ]; do
    sleep 1
    left=$((left - 1))
    now=$(sum "${X509_USER_PROXY:-/nowhere}") || now=$before
done
if [ "$now" != "$before" ]; then say renewed "$((@RENEWED@ - left))"; fi
say end "$(date +%s)"
exit @EXIT@
"""
_LONG = r"""#!/bin/sh
# the second test job of a check, which is cancelled: its child prints as long as it lives
( n=0; while [ "$n" -lt 1800 ]; do printf '%s\n' "@MARK@ tick $n"; n=$((n + 1)); sleep 1; done ) &
wait
"""


def test_job(url: str, ca: str) -> str:
    """The script; `url` is that of the Network Server's version, `ca` the PEM of who signed its certificate."""
    plain = url.replace("'", "%27")
    words = {"MARK": MARK, "TOOLS": " ".join(TOOLS), "CA": ca.strip(), "URL": plain, "RENEWED": str(RENEWED_S),
             "EXIT": str(EXIT_STATUS)}
    return _filled(_JOB, words)


def long_job() -> str:
    return _filled(_LONG, {"MARK": MARK})


def _filled(text: str, words: Mapping[str, str]) -> str:
    for name, word in words.items():
        text = text.replace(f"@{name}@", word)
    return text


# -- what the job printed --------------------------------------------------------------------------------


def printed(output: str) -> dict[str, list[str]]:
    """What the job said, by its first word; other lines are the CE's."""
    found: defaultdict[str, list[str]] = defaultdict(list)
    for line in output.splitlines():
        mark, _, rest = line.partition(" ")
        if mark == MARK and rest:
            name, _, value = rest.partition(" ")
            found[name].append("".join(c for c in value if c.isprintable())[:300])
    return dict(found)


def ticks(output: str) -> int:
    """How often the job that is cancelled has printed."""
    return len(printed(output).get("tick", ()))


def on_the_node(said: Mapping[str, Sequence[str]], bearer: bool, renewed: str) -> list[Probe]:
    """The probes that the output answers, but for the clock; `renewed` is why no fresh credential was sent, or ""."""
    if "begin" not in said:
        names = ("proxy", "token", "renewal", "tools", "containers", "cvmfs", "outbound")
        return [Probe(name, UNKNOWN, "The job said nothing.") for name in names]
    return [_file("proxy", "X509_USER_PROXY", said),
            _file("token", "BEARER_TOKEN_FILE", said) if bearer else Probe("token", UNKNOWN, "There was none to send."),
            _renewal(said, renewed), _tools(said), _apptainer(said), _cvmfs(said), _outbound(said)]


def _first(said: Mapping[str, Sequence[str]], name: str) -> str:
    return next(iter(said.get(name, ())), "")


def _file(name: str, variable: str, said: Mapping[str, Sequence[str]]) -> Probe:
    size = _first(said, name)
    if size.isdigit() and int(size):
        return Probe(name, OK, f"{variable} names a file of {size} bytes.")
    return Probe(name, FAILS, f"{variable} names no file: jobs have no credential there.")


def _renewal(said: Mapping[str, Sequence[str]], failure: str) -> Probe:
    if failure:
        return Probe("renewal", FAILS, failure)
    if "renewed" in said:
        return Probe("renewal", OK, f"The file was replaced under the running job after {_first(said, 'renewed')} s.")
    if not _first(said, "proxy").strip("0"):
        return Probe("renewal", UNKNOWN, "There was no credential to replace.")
    return Probe("renewal", FAILS, f"The running job saw no fresh credential for {RENEWED_S} s.")


def _tools(said: Mapping[str, Sequence[str]]) -> Probe:
    here = [tool for tool in TOOLS if tool in said.get("tool", ())]
    lacking = [tool for tool in TOOLS if tool not in here and tool != "apptainer"]
    more = f"; not there: {', '.join(lacking)}" if lacking else ""
    if not set(TRANSFERS) & set(here):
        return Probe("tools", FAILS, f"None of {', '.join(TRANSFERS)}: nothing can be transferred.")
    return Probe("tools", OK, f"{', '.join(tool for tool in here if tool != 'apptainer')}{more}.")


def _apptainer(said: Mapping[str, Sequence[str]]) -> Probe:
    if "apptainer" in said.get("tool", ()):
        return Probe("containers", OK, "apptainer is there.")
    return Probe("containers", UNKNOWN, "No apptainer in the path: jobs with a container fail there.")


def _cvmfs(said: Mapping[str, Sequence[str]]) -> Probe:
    if "cvmfs" not in said:
        return Probe("cvmfs", UNKNOWN, "There is no /cvmfs.")
    return Probe("cvmfs", OK, f"/cvmfs is there: {_first(said, 'cvmfs').strip() or 'nothing is mounted yet'}.")


def _outbound(said: Mapping[str, Sequence[str]]) -> Probe:
    tool, _, answer = _first(said, "outbound").partition(" ")
    if not tool:
        return Probe("outbound", UNKNOWN, "Nothing to try it with.")
    if answer.strip() == "200":
        return Probe("outbound", OK, f"The Network Server answers {tool}, and its certificate is trusted.")
    return Probe("outbound", FAILS, f"{tool}: {answer or 'no answer'}.")


# -- what the CE said ------------------------------------------------------------------------------------


def clock(begin: str, submitted: float, running: float) -> Probe:
    """`begin` by the clock of the node (epoch s), which was between the submission and when the job was seen to run."""
    if not begin.isdigit():
        return Probe("clock", UNKNOWN, "The job did not say what time it was.")
    at = float(begin)
    off = at - running if at > running else min(0.0, at + 1 - submitted)
    if abs(off) <= MOST_SKEW_S:
        return Probe("clock", OK, "No difference is seen." if abs(off) < 1 else f"It differs by about {off:+.0f} s.")
    return Probe("clock", FAILS, f"It differs by {off:+.0f} s: credentials and times will be wrong.")


def states(seen: Mapping[str, float], reason: str) -> Probe:
    """`seen` is how long after the submission each phase was first seen (s); `reason` is why there is no end."""
    order = sorted(seen.items(), key=lambda one: one[1])
    told = ", ".join(f"{phase} after {seconds:.0f} s" for phase, seconds in order)
    if "ENDED" not in seen:
        return Probe("states", FAILS, f"{reason}{f' ({told})' if told else ''}.")
    if "RUNNING" not in seen:
        return Probe("states", UNKNOWN, f"It was never seen to run: {told}.")
    return Probe("states", OK, f"{told}.")


def exit_status(status: int | None, reason: str) -> Probe:
    if status == EXIT_STATUS:
        return Probe("exit status", OK, f"{status}, as it should be.")
    if status is None:
        return Probe("exit status", UNKNOWN, f"The CE does not know it: {reason or 'no reason'}.")
    return Probe("exit status", FAILS, f"{status}, and should be {EXIT_STATUS}{f': {reason}' if reason else ''}.")


def cancelled(live: int, before: int, after: int) -> Probe:
    """`live`: what it had printed while it ran; `before` and `after` the end of some seconds after its end."""
    if after > before:
        return Probe("cancel", FAILS, "The CE says that it ended, but its processes go on.")
    if not live:
        return Probe("cancel", UNKNOWN, "It ended; whether its processes did is not seen, as output comes at the end.")
    return Probe("cancel", OK, "It ended, and so did its processes.")
