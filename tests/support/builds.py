"""Another build of the encoder."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support.clips import FFMPEG, run


@contextmanager
def other_build() -> Iterator[Path]:
    """Yield another build by its name: the same program that says another version of itself.

    It lies where the codec's sandbox, which is nobody, may look.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        program = Path(folder) / "ffmpeg"
        shutil.copy2(FFMPEG, program)
        said = re.search(r"ffmpeg version (\S+)", run("-version").decode())
        assert said
        version = said[1].encode()
        other = version[:-1] + (b"x" if version[-1:] != b"x" else b"y")
        program.write_bytes(program.read_bytes().replace(version, other))
        yield program
