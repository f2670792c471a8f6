"""Secrets at rest: what is sealed is opened by the same key only, and shows nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.examples import examples
from wms.errors import SealBroken
from wms.vault import MARK, NONCE, UNSEALED, Vault

KEY, OTHER = b"k" * 32, b"o" * 32
CONTENTS = st.binary(max_size=2000)
NONCES = st.binary(min_size=NONCE, max_size=NONCE)


@settings(max_examples=examples(50), deadline=None)
@given(content=CONTENTS, nonce=NONCES, key=st.binary(min_size=32, max_size=64))
def test_what_was_sealed_is_opened(content: bytes, nonce: bytes, key: bytes) -> None:
    sealed = Vault(key).seal(content, nonce)
    assert Vault(key).open(sealed) == content
    assert sealed.startswith(MARK + nonce)
    assert len(content) < 8 or content not in sealed[len(MARK) + NONCE:]


@given(content=CONTENTS.filter(lambda content: not content.startswith(MARK)), nonce=NONCES)
def test_without_a_key_nothing_is_sealed_and_what_was_not_is_read_by_all(content: bytes, nonce: bytes) -> None:
    assert UNSEALED.seal(content, nonce) == content
    assert UNSEALED.open(content) == Vault(KEY).open(content) == content


@settings(max_examples=examples(50), deadline=None)
@given(content=CONTENTS, nonce=NONCES, place=st.integers(0, 4000), bit=st.integers(0, 7), cut=st.integers(0, 4000))
def test_what_was_damaged_is_not_opened(content: bytes, nonce: bytes, place: int, bit: int, cut: int) -> None:
    sealed = Vault(KEY).seal(content, nonce)
    place = len(MARK) + place % (len(sealed) - len(MARK))
    damaged = sealed[:place] + bytes([sealed[place] ^ 1 << bit]) + sealed[place + 1:]
    for broken in (damaged, sealed[:len(MARK) + cut % (len(sealed) - len(MARK))]):
        with pytest.raises(SealBroken, match="another one, or the file is damaged"):
            Vault(KEY).open(broken)


def test_another_key_or_none_opens_nothing() -> None:
    sealed = Vault(KEY).seal(b"secret", b"n" * NONCE)
    with pytest.raises(SealBroken, match="another one"):
        Vault(OTHER).open(sealed)
    with pytest.raises(SealBroken, match="no key") as refused:
        UNSEALED.open(sealed)
    assert refused.value.hint


def test_a_vault_does_not_show_its_key() -> None:
    assert "kkk" not in f"{Vault(KEY)} {Vault(KEY)!r}"
