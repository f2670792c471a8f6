"""`wmsd policy`: what a policy says of a caller and an action, and which rule decides."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from wms.daemon import cli
from wms.errors import ConfigError

POLICY = """
ban: [{dn: /CN=banned}]
superusers: [{dn: /CN=super}]
owners: [{owner: /CN=jane, is: [{issuer: "https://i", subject: jane}]}]
rules:
  - {name: all may, allow: [submit, read, cancel, delegate], who: everybody}
  - {name: VO, allow: read, who: {fqan: /vo/*}, jobs: vo}
  - {name: not here, deny: read, who: everybody, from: 10.0.0.0/8}
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "policy.yaml"
    path.write_text(POLICY)
    return path


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, ["policy", *words])


@pytest.mark.parametrize(("words", "said", "status"), [
    ("--dn /CN=x --action submit", "submit is allowed by rule 1 (all may).", 0),
    ("--dn /CN=x --action read", "read is allowed by rule 1 (all may), for own jobs.", 0),
    ("--dn /CN=x --fqan /vo/g --action read", "read is allowed by rule 2 (VO), for jobs of the VO.", 0),
    ("--issuer https://i --subject s --vo vo --group /vo --action read",
     "read is allowed by rule 2 (VO), for jobs of the VO.", 0),
    ("--dn /CN=super --action cancel", "cancel is allowed by superuser 1, for all jobs.", 0),
    ("--dn /CN=x --action read --from 10.1.1.1", "read is refused by rule 3 (not here).", 1),
    ("--dn /CN=banned --action read", "read is refused: banned by ban 1.", 1),
    ("--dn /CN=x --action purge", "purge is refused: no rule allows it.", 1),
    ("--dn /CN=x --limited --action submit", "submit is refused: the proxy is limited.", 1),
    ("--issuer https://i --subject jane --scope compute.read --action cancel",
     "sub:https://i#jane belongs to /CN=jane.\ncancel is refused: the token lacks the scope compute.cancel.", 1)])
def test_what_is_decided_is_explained(file: Path, words: str, said: str, status: int) -> None:
    found = run("explain", "--file", str(file), *words.split())
    assert (found.output.rstrip(), found.exit_code) == (said, status)


def test_a_drained_service_is_explained(tmp_path: Path) -> None:
    (tmp_path / "p").write_text("drain: true")
    found = run("explain", "--file", str(tmp_path / "p"), "--dn", "/CN=x", "--action", "submit")
    assert (found.output, found.exit_code) == ("submit is refused: the service is drained.\n", 1)


@pytest.mark.parametrize("words", ["", "--dn /CN=x --issuer https://i --subject s", "--issuer https://i"])
def test_who_must_be_said(file: Path, words: str) -> None:
    found = run("explain", "--file", str(file), "--action", "read", *words.split())
    assert isinstance(found.exception, ConfigError)


def test_a_policy_is_checked(file: Path) -> None:
    found = run("check", str(file))
    assert found.output == "The policy is sound: 3 rules, 1 bans, 1 superusers, 1 credentials of owners.\n"
    file.write_text("rules: [{allow: raed}]\ndrain: 1")
    refused = run("check", str(file))
    assert str(refused.exception).splitlines() == [
        f"{file}:1: a rule says who; everybody is written everybody",
        f"{file}:1: there is no action raed; did you mean read?", f"{file}:2: drain is true or false"]


def test_the_policy_of_the_configuration_is_the_one_that_is_asked(file: Path, tmp_path: Path) -> None:
    config = tmp_path / "wms.yaml"
    config.write_text(f"policy: {file}\nlb: {{super_users: [/CN=admin]}}")
    asked = ["policy", "explain", "--dn", "/CN=admin", "--action", "read"]
    found = CliRunner().invoke(cli, ["--config", str(config), *asked])
    assert found.output == "read is allowed by lb.super_users, for all jobs.\n"
    file.write_text("rules: [")
    refused = CliRunner().invoke(cli, ["--config", str(config), "config", "check"])
    assert isinstance(refused.exception, ConfigError)
