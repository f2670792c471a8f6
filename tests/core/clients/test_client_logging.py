"""Options and environment of lb-logevent, and the name in a proxy file."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clients import logging_options as options
from clients.errors import ArgumentMissing, ArgumentWrong
from clients.subject import subject
from tests.examples import examples
from wms.errors import BadSequenceCode
from wms.event import EVENT_TYPES
from wms.seqcode import START, SequenceCode, Source
from wms.x509 import authority, proxy

NOW = 1_700_000_000.0
CODE = SequenceCode(ui=1, wm=2, app=3)


@pytest.mark.parametrize(("environment", "directory"), [
    ({}, "/var/lib/wms/lb-spool"),
    ({"WMS_STATE_DIR": "/s"}, "/s/lb-spool"),
    ({"GLITE_WMS_LOG_FILE_PREFIX": "/v/lb/dglogd.log", "WMS_STATE_DIR": "/s"}, "/v/lb"),
    ({"EDG_WL_LOG_DESTINATION": "file:///d", "GLITE_WMS_LOG_FILE_PREFIX": "/v/x"}, "/d"),
    ({"GLITE_WMS_LOG_DESTINATION": "localhost:9002"}, "/var/lib/wms/lb-spool"),
    ({"WMS_INTERLOGGER_SPOOL": "/i", "GLITE_WMS_LOG_DESTINATION": "/d"}, "/i")])
def test_where_the_spool_is(environment: dict[str, str], directory: str) -> None:
    assert options.spool_directory(environment) == directory
    assert options.spool_directory(environment, "/o") == "/o"


def test_the_newer_prefix_wins() -> None:
    assert options.variable({"GLITE_WMS_JOBID": "a", "EDG_WL_JOBID": "b"}, "JOBID") == "a"
    assert options.variable({"GLITE_WMS_JOBID": "", "EDG_WL_JOBID": "b"}, "JOBID") == "b"
    assert options.variable({}, "JOBID") == ""


@pytest.mark.parametrize(("text", "seconds"), [("", 120.0), ("5", 5.0), ("9999", 600.0)])
def test_how_long_a_priority_event_waits(text: str, seconds: float) -> None:
    assert options.sync_timeout_s({"GLITE_WMS_LOG_SYNC_TIMEOUT": text}) == seconds


def test_a_timeout_that_is_no_number() -> None:
    with pytest.raises(ArgumentWrong):
        options.sync_timeout_s({"GLITE_WMS_LOG_SYNC_TIMEOUT": "soon"})


def test_which_job() -> None:
    there = {"GLITE_WMS_JOBID": "https://h:1/env"}
    assert str(options.job_of("https://h:1/x", "m", there, b"")) == "https://h:1/x"
    assert str(options.job_of("", "", there, b"")) == "https://h:1/env"
    assert str(options.job_of("", "m:5", there, b"x" * 16)).startswith("https://m:5/")
    with pytest.raises(ArgumentMissing):
        options.job_of("", "", {}, b"")


def test_each_call_attaches_and_each_event_counts() -> None:
    found = options.codes(str(CODE), Source.APPLICATION, NOW)
    assert found == (str(CODE._replace(app=4)), str(CODE._replace(app=5)))
    assert options.codes(found.next, Source.APPLICATION, NOW).event == str(CODE._replace(app=6))
    assert options.codes(str(CODE), Source.APPLICATION, NOW, attach=False) == (str(CODE), str(CODE._replace(app=4)))
    assert options.codes("", Source.LRMS, NOW).event == str(START._replace(lrms=int(NOW)))
    with pytest.raises(BadSequenceCode):
        options.codes("soon", Source.LRMS, NOW)


def test_sources_without_a_counter_carry_the_code() -> None:
    assert options.codes("CLIENT=1", Source.PBS_CLIENT, NOW) == ("CLIENT=1", "CLIENT=1")
    assert options.codes("", Source.PBS_CLIENT, NOW).event == str(START)


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_every_event_has_its_fields_as_options(name: str) -> None:
    from clients.commands.logevent import command

    names = {option for param in command.params for option in param.opts}
    assert {f"--{field.name}" for field in EVENT_TYPES[name].fields} <= names
    assert options.type_of(name.upper()) == name


def test_no_option_is_there_twice() -> None:
    from clients.commands.logevent import command

    names = [option for param in command.params for option in param.opts]
    assert len(set(names)) == len(names)


def test_a_wrong_name_is_told_with_the_right_one() -> None:
    with pytest.raises(ArgumentWrong, match="UserTags") as wrong:
        options.type_of("UserTags")
    assert "UserTag?" in wrong.value.hint
    with pytest.raises(ArgumentWrong):
        options.source_of("nobody")
    job = options.job_of("https://h:1/x", "", {}, b"")
    with pytest.raises(ArgumentWrong, match="vaule") as wrong:
        options.made("UserTag", job, Source.APPLICATION, str(CODE), NOW, "h", "", {"vaule": "1"})
    assert wrong.value.hint == "Did you mean --value?"
    made = options.made("Accepted", job, Source.LOG_MONITOR, str(CODE), NOW, "h", "",
                        {"from": "NetworkServer", "from_host": "x"})
    assert made.fields["from"] == "NetworkServer"


@given(st.integers(0, 2000))
@settings(max_examples=examples(100), deadline=None)
def test_a_filling_has_its_length(length: int) -> None:
    text = options.filling(length)
    assert len(text) == length
    assert length < 10 or text.endswith(f"end={length}")


def test_the_name_in_a_credential_is_that_of_its_holder() -> None:
    ca = authority.make_authority(NOW, serial=1, kind="ec")
    user = authority.user_certificate(ca, "Jürgen /x", NOW, serial=2, kind="ec")
    chain, key = proxy.certificates(user.certificate), proxy.load_key(user.key)
    dn = proxy.identify([*chain, *proxy.certificates(ca.certificate)], NOW + 10).dn
    assert subject(user.certificate) == dn
    for _ in range(3):
        fresh = proxy.new_key("ec")
        made = proxy.new_proxy(chain, key, fresh.public_key(), NOW, 3600, serial=3)
        chain, key = (made, *chain), fresh
        assert subject(proxy.dump(made, fresh, chain[1:])) == dn
    assert subject(ca.certificate)


@pytest.mark.parametrize("pem", [
    b"", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    b"-----BEGIN CERTIFICATE-----\nMAQwAjAA\n-----END CERTIFICATE-----\n"])
def test_what_holds_no_certificate_is_an_error(pem: bytes) -> None:
    with pytest.raises(ValueError):
        subject(pem)
