"""A bucket as commands and servers meet it: proven, shown without its secret, or refused."""

from pathlib import Path

import pytest

from headwater.compose.core import open_core
from headwater.engines.blobs.s3_place import place_of
from headwater.model.errors import SettingsError
from headwater.settings import load
from tests.cli.command import headwater
from tests.support import careless, ceph

pytestmark = pytest.mark.anyio


async def test_a_server_refuses_a_store_that_forgets(tmp_path: Path, bucket_url: str) -> None:
    """Before it keeps anything there."""
    place = place_of(bucket_url)
    with careless.gateway(place.endpoint, loses=frozenset({"if-none-match"})) as address:
        settings = load(data=tmp_path, blobs=ceph.url(address, place.bucket))
        with pytest.raises(SettingsError, match="conditional writes"):
            async with open_core(settings):
                pass


@pytest.fixture
async def data(tmp_path: Path) -> Path:
    """A folder that a server has used."""
    async with open_core(load(data=tmp_path)):
        return tmp_path


async def test_check_proves_a_bucket(data: Path, bucket_url: str) -> None:
    """Every line is printed, and none has the secret."""
    answer = headwater("check", "--data", data, HEADWATER_BLOBS=bucket_url)
    assert "the first of many writers wins" in answer.out
    assert "set now" in answer.out
    assert "UNFIT" not in answer.out
    shown = headwater("settings", "--data", data, HEADWATER_BLOBS=bucket_url)
    assert ceph.SECRET_KEY not in answer.out + answer.err + shown.out + shown.err


async def test_check_names_a_store_that_forgets(data: Path, bucket_url: str) -> None:
    place = place_of(bucket_url)
    with careless.gateway(place.endpoint, loses=frozenset({"if-none-match"})) as address:
        where = ceph.url(address, place.bucket)
        answer = headwater("check", "--data", data, HEADWATER_BLOBS=where)
    assert answer.status == 1
    assert "conditional writes" in answer.out
