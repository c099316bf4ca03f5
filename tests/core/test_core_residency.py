"""Where data may be stored: a store in another region, or in none that is named, is refused at the start."""

from __future__ import annotations

import pytest

from core.settings import SettingsError, load

HERE = "database=eu-west,redis=eu-west,files=eu-west"


@pytest.mark.parametrize(
    "stores", ["", "database=eu-west,redis=eu-west", HERE.replace("redis=eu-west", "redis=us-east")]
)
def test_a_store_elsewhere_is_refused(stores: str) -> None:
    with pytest.raises(SettingsError, match="may be stored in eu-west only"):
        load(None, {"BEDSIDE_PRIVACY_REGION": "eu-west", "BEDSIDE_PRIVACY_STORES_REGION": stores})


def test_documents_elsewhere_are_refused_where_they_are_used() -> None:
    environ = {"BEDSIDE_PRIVACY_REGION": "eu-west", "BEDSIDE_PRIVACY_STORES_REGION": HERE}
    load(None, environ)
    with pytest.raises(SettingsError, match="mongo"):
        load(None, {**environ, "BEDSIDE_RECORDS_STORE": "mongo"})
    with pytest.raises(SettingsError, match=r"media\.zone"):
        load(None, {**environ, "BEDSIDE_MEDIA_ZONE": "us-east/a"})
    load(None, {**environ, "BEDSIDE_MEDIA_ZONE": "eu-west/a"})


def test_without_a_region_anything_goes_and_retentions_are_of_known_kinds() -> None:
    load(None, {})
    assert load(None, {"BEDSIDE_PRIVACY_RETENTION_YEARS": "records=20"}).privacy.retention_years == {"records": 20}
    for wrong in ("letters=1", "records=-1", "records=soon"):
        with pytest.raises(SettingsError):
            load(None, {"BEDSIDE_PRIVACY_RETENTION_YEARS": wrong})
