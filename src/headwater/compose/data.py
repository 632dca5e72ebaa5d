"""The data folder: where the embedded engines keep everything."""

import errno
import os
from pathlib import Path

from headwater.compose.engines import database_url, sqlite_path
from headwater.model.errors import SettingsError
from headwater.settings import Settings


def make_data(folder: Path) -> None:
    """Make *folder* if it is absent, for nobody else's eyes.

    Raises:
        SettingsError: it cannot be made or worked in; the sentence names it and says why.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        found_file = isinstance(error, FileExistsError | NotADirectoryError)
        reason = "there is a file in its place" if found_file else error.strerror
        raise SettingsError(
            f"The data folder {folder} (HEADWATER_DATA or --data names it) cannot be used: "
            f"{reason}."
        ) from None


def require_data(settings: Settings) -> None:
    """Raise SettingsError unless the data folder holds what a server made; create nothing.

    Where the rows are on a server of their own, that tells what there is.
    """
    if settings.data.exists():
        make_data(settings.data)
        url = database_url(settings)
        if not url.startswith("sqlite:") or sqlite_path(url).is_file():
            return
    raise SettingsError(
        f"There is no Headwater data in {settings.data} (HEADWATER_DATA or --data names it)."
    )
