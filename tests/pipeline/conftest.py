import pytest

from headwater.engines.media.ffmpeg import FfmpegMedia
from headwater.engines.media.port import Media
from tests.support.clips import FFMPEG


@pytest.fixture
async def media() -> Media:
    """The codec as the product runs it."""
    return await FfmpegMedia.open(FFMPEG)
