"""What every CE backend must do with the files of a job: credentials, output, and what is left when it is cleaned."""

from __future__ import annotations

from pathlib import Path

from ce_bench import Bench, Can, appears, gone, holds, needs, opened, reaches, says, state, submit
from reactor_thread import run, until

from wms.ce import Backend, Phase


def test_clean_forgets_the_token_and_its_files(bench: Bench, ce: Backend) -> None:
    submit(ce, bench.job("one", "echo x"), bench.job("two", "true"))
    reaches(ce, ["one", "two"], Phase.ENDED)
    run(ce.clean(["one", "never"]))
    assert (state(ce, "one").phase, run(ce.output("one"))) == (Phase.LOST, "")
    holds(ce, ["two"])


def test_clean_ends_what_still_runs(bench: Bench, ce: Backend) -> None:
    submit(ce, bench.job("one", f"echo $$ >{bench.place}/pid; sleep 1000"))
    pid = appears(bench.place / "pid")
    run(ce.clean(["one"]))
    until(lambda: gone(pid))
    assert state(ce, "one").phase is Phase.LOST


@needs(Can.RENEWS)
def test_renew_replaces_the_proxy_of_a_live_payload(bench: Bench, ce: Backend) -> None:
    gate = bench.gate()
    script = f"""cat "$X509_USER_PROXY"; read -r line <{gate}; cat "$X509_USER_PROXY"
        stat -c %a "$X509_USER_PROXY" """
    submit(ce, bench.job("one", script, proxy=b"old\n"), bench.job("two", "true", proxy=b"old\n"))
    reaches(ce, ["two"], Phase.ENDED)
    says(ce, "one", "old")
    run(ce.renew(["one", "two", "never"], b"new\n"))
    with opened(gate, 1):
        reaches(ce, ["one"], Phase.ENDED)
    assert run(ce.output("one")) == "old\nnew\n600\n"


@needs(Can.RENEWS)
def test_a_token_is_a_private_file_that_the_payload_finds_and_that_is_renewed(bench: Bench, ce: Backend) -> None:
    gate = bench.gate()
    script = f"""echo "${{X509_USER_PROXY-no proxy}} ${{BEARER_TOKEN-no value}}"; cat "$BEARER_TOKEN_FILE"
        read -r line <{gate}; cat "$BEARER_TOKEN_FILE"; stat -c %a "$BEARER_TOKEN_FILE" """
    submit(ce, bench.job("one", script, bearer=b"old\n"))
    says(ce, "one", "old")
    run(ce.renew(["one", "never"], b"", b"new\n"))
    with opened(gate, 1):
        reaches(ce, ["one"], Phase.ENDED)
    assert run(ce.output("one")) == "no proxy no value\nold\nnew\n600\n"


@needs(Can.RENEWS)
def test_only_what_is_given_is_renewed(bench: Bench, ce: Backend) -> None:
    gate = bench.gate()
    submit(ce, bench.job("one", f'echo here; read -r line <{gate}; cat "$X509_USER_PROXY" "$BEARER_TOKEN_FILE"',
                         proxy=b"proxy\n", bearer=b"token\n"))
    says(ce, "one", "here")
    run(ce.renew(["one"], b"newer proxy\n"))
    with opened(gate, 1):
        reaches(ce, ["one"], Phase.ENDED)
    assert run(ce.output("one")) == "here\nnewer proxy\ntoken\n"


def test_a_job_without_credentials_has_no_files_of_them(bench: Bench, ce: Backend) -> None:
    submit(ce, bench.job("one", 'echo "${X509_USER_PROXY-none} ${BEARER_TOKEN_FILE-none}"'))
    reaches(ce, ["one"], Phase.ENDED)
    assert run(ce.output("one")) == "none none\n"


@needs(Can.FILES)
def test_credentials_go_with_the_job(bench: Bench, ce: Backend) -> None:
    note = bench.place / "places"
    submit(ce, bench.job("one", f'echo "$X509_USER_PROXY $BEARER_TOKEN_FILE" >{note}; sleep 1000',
                         proxy=b"proxy", bearer=b"token"))
    until(lambda: note.exists() and note.read_text().endswith("\n"))
    places = [Path(name) for name in note.read_text().split()]
    assert [place.read_bytes() for place in places] == [b"proxy", b"token"]
    run(ce.clean(["one"]))
    run(ce.renew(["one"], b"late", b"late"))
    assert [place.exists() for place in places] == [False, False]
    holds(ce, [])


def test_the_output_is_the_end_of_what_was_said(bench: Bench, ce: Backend) -> None:
    submit(ce, bench.job("one", "seq 1 400000; echo last"))
    reaches(ce, ["one"], Phase.ENDED)
    text = run(ce.output("one"))
    assert len(text) == 65536
    assert text.endswith("400000\nlast\n")
