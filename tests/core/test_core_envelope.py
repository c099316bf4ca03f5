"""Ciphertexts open only in their place, under their person's key, unaltered."""

from __future__ import annotations

import base64
import secrets

import pytest

from core.ids import uuid7
from core.security.master import MasterKey, open_with, seal_with
from core.security.vault import InvalidCiphertext
from core.settings import SettingsError


@pytest.mark.parametrize("text", ["", "short", base64.b64encode(bytes(31)).decode(), "ü" * 44, "!" * 44])
def test_a_wrong_master_key_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(SettingsError) as refused:
        MasterKey.parse(text)
    assert not text or text not in str(refused.value)


def test_derived_keys_are_stable_and_apart() -> None:
    text = MasterKey.generate()
    assert MasterKey.parse(text).derive("a") == MasterKey.parse(text).derive("a")
    assert MasterKey.parse(text).derive("a") != MasterKey.parse(text).derive("b")
    assert text not in repr(MasterKey.parse(text))


def test_any_flipped_bit_is_noticed() -> None:
    cipher = MasterKey.parse(MasterKey.generate()).cipher("test")
    sealed = seal_with(cipher, b"hello", b"place")
    assert open_with(cipher, sealed, b"place") == b"hello"
    for index in range(len(sealed)):
        altered = bytearray(sealed)
        altered[index] ^= 1
        with pytest.raises(InvalidCiphertext):
            open_with(cipher, bytes(altered), b"place")


def test_moved_cut_or_empty_ciphertexts_are_refused() -> None:
    cipher = MasterKey.parse(MasterKey.generate()).cipher("test")
    sealed = seal_with(cipher, secrets.token_bytes(40), b"place/1")
    for wrong in (sealed[:-1], sealed[:20], b"", sealed + b"x"):
        with pytest.raises(InvalidCiphertext):
            open_with(cipher, wrong, b"place/1")
    with pytest.raises(InvalidCiphertext):
        open_with(cipher, sealed, b"place/2")


def test_two_encryptions_of_one_text_differ() -> None:
    cipher = MasterKey.parse(MasterKey.generate()).cipher("test")
    place = str(uuid7()).encode()
    assert seal_with(cipher, b"same", place) != seal_with(cipher, b"same", place)
