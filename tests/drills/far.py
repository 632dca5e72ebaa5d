"""A clip whose keyframes lie so far apart that one forward pass makes many segments."""

from pathlib import Path

from tests.support.clips import AAC, CLOSED, H264, run

FAR_KEYFRAMES = "far_keyframes"
SECONDS = 30


def far_keyframes(folder: Path) -> Path:
    """Make it in *folder*, once."""
    path = folder / f"{FAR_KEYFRAMES}.mp4"
    if not path.exists():
        draft = folder / f"{FAR_KEYFRAMES}.draft.mp4"
        picture = f"testsrc2=size=320x240:rate=10:duration={SECONDS}"
        tone = f"sine=frequency=300:sample_rate=48000:duration={SECONDS}"
        run(
            *("-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone),
            *(*H264, "-g", "9999", *CLOSED, *AAC, "-y", str(draft)),
        )
        draft.rename(path)
    return path
