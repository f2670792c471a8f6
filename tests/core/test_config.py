"""Settings: every problem at once with a suggestion, the environment, and the generated template."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from wms.config import Settings, every_setting, load, parse, split_address, template
from wms.errors import ConfigError

ETC = Path(__file__).parents[2] / "etc" / "wms.yaml"


def problems(text: str, environment: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(ConfigError) as refused:
        parse(text, environment or {}, "wms.yaml")
    found: list[str] = refused.value.details.get("problems", [refused.value.message])
    assert refused.value.message.count("wms.yaml: ") == len(found)
    return found


def test_nothing_means_the_defaults() -> None:
    assert parse("") == parse("# only a comment") == parse("ns:\nwm: {}\n") == Settings()


def test_a_value_lands_in_its_section() -> None:
    settings = parse("host: wms.example.org\nns: {max_input_files: 7}\nlogmonitor: {poll_s: 2}")
    assert (settings.host, settings.ns.max_input_files, settings.logmonitor.poll_s) == ("wms.example.org", 7, 2.0)
    assert settings.ns.max_file_bytes == Settings().ns.max_file_bytes


def test_all_problems_are_reported_at_once_with_what_was_meant() -> None:
    assert problems("hots: x\nns: {listn: a, max_input_files: many, min_proxy_s: -1}\nwm: 5\nzzz: 1") == [
        "hots: unknown setting; did you mean host?",
        "ns.listn: unknown setting; did you mean listen?",
        "ns.max_input_files: Expected `int`, got `str` (value 'many')",
        "ns.min_proxy_s: Expected `float` >= 0.0 (value -1)",
        "wm: expected keys and values, not 5",
        "zzz: unknown setting"]


@pytest.mark.parametrize(("text", "says"), [
    ("[", "not YAML"), ("- a", "top level"), ("a: b: c", "not YAML"), ("1: x", "1: unknown setting"),
    ("vo: no", "vo: Expected `str`, got `bool`"), ("ce: {a: 1}", "ce: Expected"),
    ("information: {files: one.yaml}", "information.files: Expected `array`")])
def test_what_cannot_be_used_is_said(text: str, says: str) -> None:
    (problem,) = problems(text)
    assert says in problem


# -- environment -------------------------------------------------------------------------------------------


def test_the_environment_wins_over_the_file() -> None:
    settings = parse("host: a\nns: {listen: 'h:1', max_input_files: 1}", {
        "WMS_HOST": "b", "WMS_NS_MAX_INPUT_FILES": "2", "WMS_INFORMATION_FILES": "[x.yaml, y.yaml]",
        "WMS_CE": "{local: {backend: local}}", "WMS_CONFIG": "/elsewhere", "WMS_JOBADAPTER_NS_URL": "https://ns:1"})
    assert (settings.host, settings.ns.listen, settings.ns.max_input_files) == ("b", "h:1", 2)
    assert settings.information.files == ("x.yaml", "y.yaml")
    assert settings.ce == {"local": {"backend": "local"}}
    assert settings.ns_url() == "https://ns:1"


def test_text_from_the_environment_stays_text() -> None:
    assert parse("", {"WMS_VO": "no", "WMS_HOST": "127", "WMS_NS_LISTEN": "1:30"}).vo == "no"


def test_the_environment_fills_an_empty_section_and_its_problems_are_reported_with_the_others() -> None:
    assert parse("ns:\n", {"WMS_NS_LISTEN": "h:2"}).ns.listen == "h:2"
    assert problems("ns: 5", {"WMS_NS_LISTEN": "h:2", "WMS_WM_EXPIRY_S": "soon", "WMS_LB_MAX_JOBS": "["}) == [
        "WMS_LB_MAX_JOBS: not YAML: '['", "ns: expected keys and values, not 5",
        "wm.expiry_s: Expected `float`, got `str` (value 'soon')"]


def test_every_setting_can_come_from_the_environment() -> None:
    for key, kind, default, _about in every_setting():
        variable = "WMS_" + key.upper().replace(".", "_")
        text = default if kind == "str" else yaml.safe_dump(list(default) if isinstance(default, tuple) else default)
        assert parse("", {variable: text}) == Settings(), key


# -- template ----------------------------------------------------------------------------------------------


def test_the_template_is_the_defaults_and_names_every_setting() -> None:
    assert parse(template()) == Settings()
    tree = yaml.safe_load(template())
    named = {f"{key}.{name}" if section else key for key, value in tree.items()
             for section in [isinstance(value, dict) and key != "ce"] for name in (value if section else [key])}
    assert named == {key for key, *_ in every_setting()}
    assert all(about for *_, about in every_setting())


def test_the_file_in_etc_is_the_template() -> None:
    assert ETC.read_text() == template(), "run: wmsd config template > etc/wms.yaml"


# -- files -------------------------------------------------------------------------------------------------


def test_a_file_is_named_in_its_problems(tmp_path: Path) -> None:
    path = tmp_path / "w.yaml"
    path.write_text("host: x\n")
    assert load(str(path), {"WMS_VO": "v"}) == parse("host: x\nvo: v")
    assert load(None, {"WMS_VO": "v"}) == parse("vo: v")
    path.write_text("a: 1")
    with pytest.raises(ConfigError, match=f"{path}: a: unknown setting"):
        load(str(path), {})
    with pytest.raises(ConfigError, match="No such file"):
        load(str(tmp_path / "none"), {})


# -- derived -----------------------------------------------------------------------------------------------


def test_addresses_follow_from_host_and_ports() -> None:
    settings = parse("host: h\nstate_dir: /s\nns: {listen: '[::]:9001'}\nlb: {listen: '0.0.0.0:9002'}")
    assert (settings.lb_address(), settings.ns_url()) == (("h", 9002), "https://h:9001")
    assert settings.database_url() == "sqlite:////s/wms.sqlite"
    assert parse("lb: {address: 'other:9'}\ndatabase: 'postgresql://h/d'").lb_address() == ("other", 9)
    assert parse("database: 'postgresql://h/d'").database_url() == "postgresql://h/d"


@given(host=st.from_regex(r"[a-z0-9.-]{1,20}|\[[0-9a-f:]{2,20}\]", fullmatch=True), port=st.integers(0, 65535))
def test_an_address_is_split_at_its_port(host: str, port: int) -> None:
    assert split_address(f"{host}:{port}") == (host, port)


@pytest.mark.parametrize("text", ["", "host", "host:", ":9000", "host:65536", "host:-1", "::1:9000", "h h:1", "h:1\n",
                                  "h:123456", "h:x"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="not host:port"):
        split_address(text)


@pytest.mark.parametrize(("section", "value"), [("ns", "abort"), ("wm", "refuse"), ("ns", "Warn"), ("wm", "1")])
def test_what_follows_from_a_short_credential_is_one_of_two(section: str, value: str) -> None:
    with pytest.raises(ConfigError, match=rf"{section}\.short_credentials"):
        parse(f"{{{section}: {{short_credentials: {value}}}}}")
    with pytest.raises(ConfigError, match=rf"{section}\.short_credentials"):
        parse("", {f"WMS_{section.upper()}_SHORT_CREDENTIALS": value})
