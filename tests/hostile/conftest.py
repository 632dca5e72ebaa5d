from pathlib import Path

import pytest

from headwater.engines.media.ffmpeg import FfmpegMedia
from headwater.engines.media.port import Media
from tests.hostile.sources import make_source
from tests.support.clips import FFMPEG


@pytest.fixture(scope="module")
async def media() -> Media:
    """The codec as the product runs it, with its sandbox."""
    return await FfmpegMedia.open(FFMPEG)


@pytest.fixture(scope="session")
def movie(clips: Path) -> bytes:
    """A sound MP4 whose index stands behind its media."""
    return make_source("h264.mp4", clips)
