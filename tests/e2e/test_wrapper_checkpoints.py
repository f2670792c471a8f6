"""Wrappers of checkpointable jobs: the command that keeps their state, in the shells that worker nodes have."""

from __future__ import annotations

from test_wrapper_run import HERE, Node, Peer, dash, node, peer, script, server

from jobadapter.wrapper import render

__all__ = ["HERE", "dash", "node", "peer", "server"]
STATE = "step one\nstep two words\nstep 3\ncurrent 1\ns text a  b\ni n -5\ni n 7\n"


def said(node: Node, peer: Peer, text: str, state: str = STATE) -> list[str]:
    """What a payload prints."""
    peer.inputs["/state"] = state.encode()
    status, output = node.run(render(script(peer, text, checkpointable=True, stdout="out", stderr="out",
                                            output_sandbox=["out"])))
    assert (status, "job exit status = 0" in output) == (0, True), output
    return peer.outputs()["out"].decode().splitlines()


def saved(peer: Peer) -> list[tuple[str, list[str]]]:
    """(tag, lines) of what was saved."""
    return [(path.removeprefix("/state/"), body.decode().splitlines())
            for method, path, body in peer.calls if method == "PUT" and path.startswith("/state")]


def test_a_payload_goes_on_from_its_step(node: Node, peer: Peer) -> None:
    told = said(node, peer, """
        while step=$(wms-chkpt step); do
            echo "$(wms-chkpt index) $step"
            wms-chkpt set done "$step" yes
            wms-chkpt next || echo 'all done'
            wms-chkpt save "after-$(wms-chkpt index)"
        done
        wms-chkpt next || echo 'nothing left'""")
    assert told == ["1 two words", "2 3", "all done", "nothing left"]
    steps = ["step one", "step two words", "step 3"]
    kept = ["s text a  b", "i n -5", "i n 7"]
    assert saved(peer) == [
        ("after-2", [*steps, *kept, "s done two words", "s done yes", "current 2"]),
        ("after-3", [*steps, *kept, "i done 3", "s done yes", "current 3"])]


def test_values_are_what_they_look_like(node: Node, peer: Peer) -> None:
    told = said(node, peer, r"""
        wms-chkpt set n 12 -3 1.5 -2e10 .5 5. true false yes 1-2 '' '*' "$HOME  x" 1e - 12345678901234567890
        wms-chkpt text t 5 true
        wms-chkpt unset text
        wms-chkpt get text || echo none
        wms-chkpt get t
        wms-chkpt set two 'a
b' || echo "status $?"
        wms-chkpt set 5x 1 || echo "status $?"
        wms-chkpt set x || echo "status $?"
        wms-chkpt save 'a b' || echo "status $?"
        wms-chkpt wrong >/dev/null 2>&1 || echo "status $?"
        wms-chkpt save""")
    assert told == ["none", "5", "true", "wms-chkpt: a value has one line", "status 2",
                    "wms-chkpt: '5x' is not a name of letters, digits and _", "status 2",
                    "wms-chkpt: a value is missing", "status 2",
                    "wms-chkpt: a tag is made of letters, digits and ._~-, unlike 'a b'", "status 2", "status 2"]
    ((tag, lines),) = saved(peer)
    assert tag == "none"
    assert [line for line in lines if line.startswith(("s n", "i n", "r n", "b n", "s t", "i t", "b t"))] == [
        "i n 12", "i n -3", "r n 1.5", "r n -2e10", "r n .5", "s n 5.", "b n true", "b n false", "s n yes", "s n 1-2",
        "s n ", "s n *", "s n /home/user  x", "s n 1e", "s n -", "s n 12345678901234567890", "s t 5", "s t true"]


def test_what_was_not_saved_can_be_forgotten(dash: Node, peer: Peer) -> None:
    assert said(dash, peer, """
        wms-chkpt set n 9
        wms-chkpt load
        wms-chkpt get n
        wms-chkpt steps
        glite-wms-chkpt step""") == ["-5", "7", "one", "two words", "3", "two words"]


def test_a_state_that_is_refused_or_too_large_is_said(dash: Node, peer: Peer) -> None:
    peer.faults["PUT", "/state/a"] = [503, 413]
    peer.faults["PUT", "/state/b"] = [400]
    assert said(dash, peer, "wms-chkpt save a || echo no; wms-chkpt save b || echo no; wms-chkpt save c && echo yes") \
        == ["wms-chkpt: the state is too large", "no", "wms-chkpt: saving was refused (status 400)", "no", "yes"]


def test_a_job_without_steps(dash: Node, peer: Peer) -> None:
    assert said(dash, peer, "wms-chkpt step || wms-chkpt index", "current 0\n") == ["0"]


def test_other_jobs_do_not_have_it(dash: Node, peer: Peer) -> None:
    dash.run(render(script(peer, "command -v wms-chkpt || echo none", stdout="out", output_sandbox=["out"])))
    assert peer.outputs()["out"] == b"none\n"
