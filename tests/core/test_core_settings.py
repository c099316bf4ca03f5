"""Settings: file, environment, refusal of what is unknown, and a sample that says the truth."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from core.settings import Section, Settings, SettingsError, load

ROOT = Path(__file__).resolve().parents[2]


def test_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "bedside.toml"
    file.write_text("[http]\nport = 9000\n[media]\nport = 7000\n")
    settings = load(file, {"BEDSIDE_HTTP_PORT": "9001"})
    assert (settings.http.port, settings.media.port) == (9001, 7000)


def test_the_four_variables_of_the_readme() -> None:
    settings = load(
        None,
        {
            "BEDSIDE_HTTP_PORT": "1",
            "BEDSIDE_MEDIA_PORT": "2",
            "BEDSIDE_MEDIA_ADDRESS": "192.0.2.1",
            "BEDSIDE_DATA_DIR": "elsewhere",
        },
    )
    assert (settings.http.port, settings.media.port, settings.media.address) == (1, 2, "192.0.2.1")
    assert settings.data_dir == Path("elsewhere")


def test_a_secret_comes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("s3cret\n")
    settings = load(None, {"BEDSIDE_SECURITY_MASTER_KEY_FILE": str(file)})
    assert settings.security.master_key.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(settings)


def test_lists_are_separated_by_commas() -> None:
    settings = load(None, {"BEDSIDE_MEDIA_TURN_URLS": "turn:a:1, turn:b:2"})
    assert settings.media.turn_urls == ["turn:a:1", "turn:b:2"]


@pytest.mark.parametrize("name", ["BEDSIDE_HTTP_PROT", "BEDSIDE_NONSENSE", "BEDSIDE_HTTP"])
def test_an_unknown_variable_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match=name):
        load(None, {name: "1"})


def test_an_unknown_key_in_the_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "bedside.toml"
    file.write_text("[http]\nprot = 9000\n")
    with pytest.raises(SettingsError, match=r"http\.prot"):
        load(file, {})


def test_a_wrong_value_names_its_setting() -> None:
    with pytest.raises(SettingsError, match=r"http\.port"):
        load(None, {"BEDSIDE_HTTP_PORT": "seventy"})


def test_the_sample_holds_every_setting_with_its_default() -> None:
    sample = ROOT / "bedside.sample.toml"
    assert load(sample, {}) == Settings()
    values = tomllib.loads(sample.read_text())
    text = sample.read_text()
    for name, field in Settings.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, Section):
            for key in annotation.model_fields:
                assert key in values[name] or f"# {key} =" in text, f"{name}.{key} is not in the sample"
        else:
            assert name in values


RANDOM = {
    "BEDSIDE_MODE": "production",
    "BEDSIDE_SECURITY_MASTER_KEY": "1q8nM0kqTz3vYx7Lw5bRfGh2JdKcVuNsPaEoXiQyWtA=",
    "BEDSIDE_DATABASE_ROLE_SECRET": "f3a97c15be02d86419cc70ab53e8d2f4",
    "BEDSIDE_MEDIA_CONTROL_SECRET": "9b1e55d0c7724fa8b3806e1d2a94fc3e",
    "BEDSIDE_HTTP_PUBLIC_URL": "https://care.example.org",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BEDSIDE_SECURITY_MASTER_KEY", "A" * 43 + "="),
        ("BEDSIDE_DATABASE_ROLE_SECRET", "development-role-secret-0123"),
        ("BEDSIDE_DATABASE_ROLE_SECRET", "tooshort123"),
        ("BEDSIDE_MEDIA_CONTROL_SECRET", "media-control-secret"),
        ("BEDSIDE_MEDIA_CONTROL_SECRET", RANDOM["BEDSIDE_DATABASE_ROLE_SECRET"]),
        ("BEDSIDE_HTTP_PUBLIC_URL", "http://care.example.org"),
    ],
)
def test_production_refuses_secrets_of_development_and_plain_http(name: str, value: str) -> None:
    load(None, RANDOM)
    with pytest.raises(SettingsError, match="production mode") as refused:
        load(None, {**RANDOM, name: value})
    assert value not in str(refused.value)
    load(None, {**RANDOM, name: value, "BEDSIDE_MODE": "development"})
