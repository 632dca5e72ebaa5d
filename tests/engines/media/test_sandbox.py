"""A codec process reaches no file, no network, no other process, even if it tries."""

import os
import socket
import struct
from pathlib import Path

import pytest

from headwater.engines.media.ffmpeg import FfmpegMedia
from headwater.engines.media.probe_sandbox import LAYERS, sandbox_layers, sandboxed
from headwater.engines.media.process import Codec, Finished, Limits, run
from headwater.engines.media.seccomp import PROGRAM_DESCRIPTOR, seccomp_program
from headwater.model.errors import CodecFailed, Unavailable
from tests.support.clips import FFMPEG

pytestmark = pytest.mark.anyio

LIMITS = Limits(wall_s=30, cpu_s=10, output_bytes=1 << 20)
COPY = ["-map", "0", "-c", "copy", "-f", "data", "pipe:3"]


@pytest.fixture(scope="module")
def codec() -> Codec:
    return sandboxed(FFMPEG)


async def attack(codec: Codec, *arguments: str, body: bytes = b"") -> Finished:
    command = ["-nostdin", "-hide_banner", "-loglevel", "error", *arguments]
    return await run(codec, command, body=body, outputs=1, limits=LIMITS)


async def test_the_two_promises_hold_here() -> None:
    """Where they do not, nothing may be processed; this machine's layers are printed on failure."""
    layers = await sandbox_layers(FFMPEG)

    works = {layer.name: layer.works for layer in layers}
    assert [layer.name for layer in layers][: len(LAYERS)] == list(LAYERS)
    assert works["no network"], layers
    assert works["no foreign files"], layers


@pytest.mark.parametrize("path", ["/etc/passwd", "/proc/self/environ", "/proc/self/maps"])
async def test_a_codec_told_to_read_a_file_cannot(path: str, codec: Codec) -> None:
    """ffmpeg itself is asked to open it, with every protocol allowed."""
    finished = await attack(codec, "-f", "data", "-i", f"file:{path}", "-t", "1", *COPY)

    assert finished.outputs == [b""]
    assert b"Permission denied" in finished.errors or b"not permitted" in finished.errors


async def test_a_codec_told_to_write_a_file_cannot(codec: Codec, tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    target = tmp_path / "written"

    await attack(
        codec, "-f", "lavfi", "-i", "testsrc2", "-frames:v", "1", "-f", "data", str(target)
    )

    assert not target.exists()


async def test_a_codec_told_to_connect_cannot(codec: Codec) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        port = listener.getsockname()[1]

        finished = await attack(codec, "-f", "data", "-i", f"tcp://127.0.0.1:{port}", *COPY)

        assert finished.outputs == [b""]
        with pytest.raises(TimeoutError):
            listener.accept()


@pytest.mark.parametrize(
    ("demuxer", "body"),
    [
        ("concat", "ffconcat version 1.0\nfile 'file:{path}'\n"),
        ("hls", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:{path}\n#EXT-X-ENDLIST\n"),
        ("hls", "#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://127.0.0.1:{port}/\n"),
        ("concatf", "file:{path}\n"),
        ("sdp", "v=0\nc=IN IP4 127.0.0.1\nm=video {port} RTP/AVP 96\n"),
    ],
)
async def test_playlists_and_scripts_reach_nothing(
    demuxer: str, body: str, codec: Codec, tmp_path: Path
) -> None:
    """Even opened by the demuxer that obeys them, which the server never names."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"\x47secret" * 1000)
    secret.chmod(0o644)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.2)
        script = body.format(path=secret, port=listener.getsockname()[1])
        everything = ["-protocol_whitelist", "file,http,tcp,udp,rtp,crypto,pipe,fd,concatf"]

        finished = await attack(
            codec, *everything, "-f", demuxer, "-i", "pipe:0", *COPY, body=script.encode()
        )

        assert b"secret" not in finished.outputs[0]
        with pytest.raises(TimeoutError):
            listener.accept()


async def test_nothing_of_the_server_is_inherited(
    codec: Codec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No environment, and of the descriptors only the pipes: number 5 and on are closed."""
    monkeypatch.setenv("AV_LOG_FORCE_NOCOLOR", "1")
    secret = tmp_path / "open"
    secret.write_text("secret")
    with secret.open("rb") as file:
        os.set_inheritable(file.fileno(), True)
        for number in (4, 5, 6, file.fileno(), PROGRAM_DESCRIPTOR):
            finished = await attack(codec, "-f", "data", "-i", f"fd:{number}", *COPY)
            assert finished.outputs == [b""], number


async def test_a_required_layer_that_fails_stops_the_run(codec: Codec) -> None:
    """A filter that is not there is a failure, not a run without it."""
    without = tuple(order for order in codec.sandbox if order[0] != "seccomp")
    broken = Codec(program=FFMPEG, sandbox=(*without, ("seccomp", ""), ("required", "seccomp")))

    with pytest.raises(CodecFailed, match="seccomp"):
        await run(broken, ["-version"], body=b"", outputs=0, limits=LIMITS)


async def test_a_program_that_is_no_codec_is_refused(tmp_path: Path) -> None:
    script = tmp_path / "ffmpeg"
    script.write_text("#!/bin/sh\necho ffmpeg version 1\n")

    with pytest.raises(Unavailable, match="no program"):
        await FfmpegMedia.open(str(script))
    with pytest.raises(Unavailable, match="cannot be opened"):
        await FfmpegMedia.open(str(tmp_path / "nowhere"))


def test_filters_are_whole_programs() -> None:
    """Every jump lands inside, every path ends in an answer, on both machines."""
    for machine in ("x86_64", "aarch64"):
        program = seccomp_program(machine)
        assert program is not None
        code = list(struct.iter_unpack("<HBBI", program))
        assert len(code) < 4096
        assert code[-1] == (0x06, 0, 0, 0x7FFF_0000)
        for at, (_, true, false, _) in enumerate(code):
            assert at + 1 + max(true, false) < len(code) or code[at][0] == 0x06
    assert seccomp_program("riscv64") is None
