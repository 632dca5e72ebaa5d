"""`headwater upload --direct`: the bytes go into the bucket, past the server."""

import re
from pathlib import Path

import msgspec

from headwater.engines.blobs.s3_place import place_of
from tests.cli.command import headwater
from tests.support import careless, ceph
from tests.support.clips import make_clip
from tests.support.server import serving

PADDING_BYTES = 20_000_000  # three parts
PLACED = re.compile(r"blobs/uploads/[^/]+/(\d+)-\d+-[0-9a-f]{64}")


def test_parts_go_straight_to_the_bucket(tmp_path: Path, clips: Path, bucket_url: str) -> None:
    """Twice the bucket takes a part and its answer is lost; the video is made all the same."""
    place = place_of(bucket_url)
    walk = tmp_path / "walk.mp4"
    box = PADDING_BYTES.to_bytes(4) + b"free" + bytes(PADDING_BYTES - 8)
    walk.write_bytes(make_clip("h264_ladder", clips).read_bytes() + box)
    with careless.gateway(place.endpoint, failing=2) as public:
        where = f"{bucket_url}&public_endpoint={public}"
        with serving(tmp_path / "data", blobs=where) as server:
            made = headwater("keys", "create", "--name", "k", "--data", server.data)
            answer = headwater(
                *("upload", "--direct", "--json", "--wait", "playable", walk),
                HEADWATER_SERVER=server.url,
                HEADWATER_KEY=made.out.strip(),
                HOME=str(tmp_path),
            )
            found = ceph.client(place.endpoint).list_objects_v2(Bucket=place.bucket)["Contents"]
    assert answer.status == 0, answer.err
    assert msgspec.json.decode(answer.out)["state"] in {"playable", "ready"}
    starts = {int(name[1]) for f in found if (name := PLACED.fullmatch(f["Key"]))}
    assert starts == {0, 8 << 20, 16 << 20}
