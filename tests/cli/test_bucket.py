"""A bucket as commands and servers meet it: proven, shown without its secret, or refused."""

from pathlib import Path

import pytest

from headwater.compose.core import open_core
from headwater.compose.engines import blobs_url
from headwater.engines.blobs.moving import Place, Stage
from headwater.engines.blobs.s3_place import place_of
from headwater.model.errors import SettingsError
from headwater.operations import places
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


async def test_a_bucket_that_is_not_there_is_said_in_words(data: Path, bucket_url: str) -> None:
    """With what whoever typed it can mend."""
    wrong = bucket_url.replace(place_of(bucket_url).bucket, "nobodys")
    answer = headwater("move", "blobs", wrong, "--data", data)
    assert answer.status == 1
    assert "it has no bucket of that name" in answer.err


async def test_a_setting_that_names_what_was_left_is_said(data: Path, bucket_url: str) -> None:
    """Where the embedded engines are beside it, they are named as people know them."""
    settings = load(data=data)
    async with open_core(settings) as core, core.database.writer() as session:
        left = Place(of=blobs_url(settings), to=bucket_url, stage=Stage.ENDED)
        await places.put(session, left)
    answer = headwater("check", "--data", data)
    assert "HEADWATER_BLOBS: warning: what it names has moved" in answer.out
    assert "notices\tok\tmemory, reach: process" in answer.out
    assert "HEADWATER_DATABASE" not in answer.out
    again = headwater("move", "blobs", f"file:{data}/third", "--data", data)
    assert "write that into HEADWATER_BLOBS first" in again.err
    assert ceph.SECRET_KEY not in again.err
