"""One case at the door: refused with its code, logged once with who and why, nothing changed, the service well."""

from __future__ import annotations

import json
from typing import Any

from deployment import until

from tests.gallery.case import Ask, Case
from tests.gallery.house import Answer, House

PATIENCE_S = 10.0
FENCE = "ns.limits"
NEVER = ("PRIVATE KEY", "Traceback")


def refuse(house: House, case: Case) -> None:
    with case.around(house):
        ask = case.asks(house)
        before, mark = house.settle(), house.log_size()
        answer = house.answer(ask)
        require_refused(answer, case, ask)
        assert house.is_well(), "the service is not well"
        require_logged(house, mark, case, ask)
        assert not (changed := house.settle() ^ before), f"changed: {sorted(changed)[:8]}"


def require_refused(answer: Answer, case: Case, ask: Ask) -> None:
    require_silent(answer.text, ask)
    assert "set-cookie" not in answer.headers
    if case.below:
        assert answer.status == case.status, answer
        return
    record = answer.document
    assert isinstance(record, dict), answer
    assert (answer.status, record.get("code")) == (case.status, case.code), record
    assert set(record) == {"code", "message", "hint", "details"}
    assert record["message"][-1:] in ".?!" or " " in record["message"], record


def require_silent(text: str, ask: Ask) -> None:
    """No secret of the request is told to anybody."""
    found = [word for word in (*NEVER, *ask.secrets()) if word in text]
    assert not found, f"told: {found}"


def require_logged(house: House, mark: int, case: Case, ask: Ask) -> None:
    lines: list[dict[str, Any]] = []

    def complete() -> bool:
        lines[:] = house.log_since(mark)
        fenced = any(line.get("operation") == FENCE and not line.get("error") for line in lines)
        return fenced and any(case.code in (line.get("error"), line.get("code")) for line in lines)

    until(complete, f"the log to say {case.code}: {lines}", PATIENCE_S)
    require_silent(json.dumps(lines), ask)
    whole = [line for line in lines if line.get("error") == case.code]
    why = [line for line in lines if line.get("code") == case.code]
    assert (len(whole), len(why)) in ((1, 0), (1, 1)), (whole, why)
    assert any(case.who in json.dumps(line) for line in whole + why), (case.who, whole, why)
    assert not [line for line in lines if line["level"] in ("error", "critical")], lines
    others = {line.get("error") for line in lines} - {case.code, "", None}
    assert not others, lines
