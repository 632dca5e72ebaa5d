"""Every knob, once: type, unit, default, consequence.

Read from, strongest first: what the command line says, HEADWATER_… in the environment,
headwater.toml in the data folder, the default here. Only compose and cli import this; everything
else gets plain values.
"""

import os
import tomllib
from ipaddress import ip_network
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from headwater.model.errors import SettingsError

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

PREFIX = "HEADWATER_"
FILE = "headwater.toml"
GIB = 1 << 30
# Of the clients and the tests, not of the server; known so that they are not called a typo.
OTHERS = frozenset({"HEADWATER_SERVER", "HEADWATER_KEY", "HEADWATER_DRILLS"})
Sandbox = Literal["required", "files", "network", "none"]


def knob(
    default: Any, description: str, *, unit: str = "", secret: bool = False, **limits: Any
) -> Any:
    """One setting: what it is, and what follows from changing it."""
    return Field(
        default=default,
        description=description,
        repr=not secret,
        json_schema_extra={"unit": unit, "secret": secret},
        **limits,
    )


class Settings(BaseSettings):
    model_config = SettingsConfigDict(
        env_prefix=PREFIX, env_ignore_empty=True, extra="forbid", frozen=True
    )

    # Where it listens
    host: str = knob("127.0.0.1", "Address to listen on. 0.0.0.0 lets other machines in.")
    port: int = knob(8000, "Port to listen on; 0 takes a free one.", ge=0, le=65535)
    public_url: str = knob(
        "",
        "Address people use, for example https://video.example.org. Links, the check of where "
        "writes come from and secure cookies follow it; empty: each request's own Host.",
    )
    trusted_proxies: str = knob(
        "",
        "Networks (comma-separated, CIDR) whose X-Forwarded-For and -Proto are believed. Name your "
        "reverse proxy and nothing else: whoever is named may claim any client address.",
    )
    internal_host: str = knob("127.0.0.1", "Address of /metrics; never a public one.")
    internal_port: int = knob(9600, "Port of /metrics; 0 turns it off.", ge=0, le=65535)

    # Where it keeps things
    data: Path = knob(
        Path("data"), "Folder of the database and the blobs; nothing is kept elsewhere."
    )
    database: str = knob(
        "",
        "Database URL: sqlite:FILE, or postgresql://USER:PASSWORD@HOST[,HOST…]/DATABASE, of whose "
        "hosts the one that takes writes is used (behind pgbouncer add ?statement_cache_size=0). "
        "Empty: SQLite in the data folder.",
        secret=True,
    )
    database_replicas: str = knob(
        "",
        "Streaming replicas of a PostgreSQL database: one postgresql:// URL each, separated by "
        "commas. What may be a moment old, or is known to be there already, is read from them.",
        secret=True,
    )
    blobs: str = knob(
        "",
        "Blob store URL: file:FOLDER, or s3://KEY:SECRET@BUCKET[/PREFIX]?endpoint=http://HOST:PORT"
        "[&region=us-east-1][&style=path|host][&public_endpoint=https://…] for a bucket any number "
        "of hosts share; browsers and headwater upload then put parts straight to the public "
        "endpoint. headwater check proves it. Empty: the folder blobs in the data folder.",
        secret=True,
    )
    events: str = knob(
        "",
        "Events URL: table:, or amqp://USER:PASSWORD@HOST[,HOST…]/VHOST for RabbitMQ, which only "
        "the scheduler talks to. Empty: a table of the database.",
        secret=True,
    )
    notices: str = knob(
        "",
        "memory:, table: or redis://[:PASSWORD@]HOST[:PORT]/DB (rediss:// for TLS), which crosses "
        "hosts. Empty: memory for role all, which then works alone on its data, table for the "
        "others.",
        secret=True,
    )
    cache: str = knob(
        "",
        "memory: or redis://[:PASSWORD@]HOST[:PORT]/DB: answers, proofs of sessions and the counts "
        "of rate limits are then shared by all processes, which go on by themselves while it is "
        "away. Empty: memory of the process.",
        secret=True,
    )

    # The owner, unattended
    owner_email: str = knob("", "E-mail of the first owner; empty: a set-up link is printed.")
    owner_password: str = knob(
        "", "Password of the first owner; only read while there is none.", secret=True
    )

    # How much
    quota_bytes: int = knob(
        0, "What one account may keep, unless set on the account; 0: no limit.", unit="bytes", ge=0
    )
    file_limit_bytes: int = knob(
        256 * GIB,
        "Largest single upload; larger is refused before bytes are sent.",
        unit="bytes",
        ge=1,
    )
    store_budget_bytes: int = knob(
        0,
        "What all segments together may take; above it, rungs nobody watched lately are evicted "
        "and made again when asked for. 0: no limit but the disk.",
        unit="bytes",
        ge=0,
    )
    free_floor_bytes: int = knob(
        GIB,
        "Free disk that is never used: below it uploads and segments are refused.",
        unit="bytes",
        ge=0,
    )
    upload_expires_s: int = knob(
        7 * 86_400, "An upload nobody continued for so long is removed.", unit="seconds", ge=60
    )
    undo_s: int = knob(
        7 * 86_400, "A deleted video can be restored for so long.", unit="seconds", ge=0
    )
    session_s: int = knob(30 * 86_400, "A login lasts so long.", unit="seconds", ge=60)

    # How videos are made
    ffmpeg: str = knob("", "Path of an ffmpeg; empty: the one inside the imageio-ffmpeg package.")
    encoders: int = knob(
        0, "Codec processes at once; 0: one per core.", unit="processes", ge=0, le=256
    )
    queue_age_s: int = knob(
        120,
        "Longest an upload may wait for its turn to become playable. Beyond it new uploads are "
        "asked to come later; warm-up waits from a quarter of it on. Longer takes more on at "
        "once, and everybody's upload waits longer.",
        unit="seconds",
        ge=1,
    )
    warm: Literal["all", "low", "none"] = knob(
        "all",
        "Which rungs are made ahead of being watched: low saves disk and processor, none makes "
        "everything when asked for.",
    )
    keep_original: bool = knob(
        True, "Keep what was uploaded after the warm-up. Without it rungs cannot be made anew."
    )
    sandbox: Sandbox = knob(
        "required",
        "required: no codec process without both walls, no network and no foreign files. Naming "
        "network or files does without that wall; none without both. Only for files you trust.",
    )
    traces: str = knob(
        "",
        "Address of a collector of traces (OTLP over HTTP), for example http://127.0.0.1:4318; "
        "every process sends it what it does, each video under one id. Empty: off.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = knob(
        "info", "Least serious line kept."
    )
    drain_s: float = knob(
        10.0, "How long a stopping server finishes what it is answering.", unit="seconds", ge=0
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the command line and the environment; load() adds the file below them."""
        _ = settings_cls, dotenv_settings, file_secret_settings
        return init_settings, env_settings

    @field_validator("public_url")
    @classmethod
    def _is_origin(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.netloc or parts.query):
            raise ValueError("must look like https://video.example.org")
        if parts.path.strip("/"):
            raise ValueError("must have no path: Headwater lives at the root of its address")
        return f"{parts.scheme}://{parts.netloc}".lower() if value else ""

    @field_validator("traces")
    @classmethod
    def _is_collector(cls, value: str) -> str:
        parts = urlsplit(value)
        if value and (parts.scheme not in {"http", "https"} or not parts.hostname or parts.query):
            raise ValueError("must look like http://127.0.0.1:4318")
        if "@" in parts.netloc:  # it would be shown wherever settings are
            raise ValueError("must name nobody: put the credentials into a collector of your own")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for network in filter(None, (part.strip() for part in value.split(","))):
            ip_network(network, strict=False)
        return value

    @model_validator(mode="after")
    def _owner_is_whole(self) -> Self:
        if bool(self.owner_email) != bool(self.owner_password):
            raise ValueError("owner_email and owner_password go together")
        return self

    @property
    def is_https(self) -> bool:
        return self.public_url.startswith("https://")

    @property
    def local_address(self) -> str:
        """What to type into a browser on this machine."""
        host = {"0.0.0.0": "localhost", "::": "localhost"}.get(self.host, self.host)  # noqa: S104
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def proxy_networks(self) -> tuple[str, ...]:
        return tuple(part.strip() for part in self.trusted_proxies.split(",") if part.strip())


def load(**overrides: Any) -> Settings:
    """Return the settings; *overrides* (the command line) are strongest, None means not given.

    Raises:
        SettingsError: unknown names and values that cannot be, a sentence with the name for each.
    """
    faults = _unknown_variables()
    merged: dict[str, Any] = {}
    for _, values in _layers(overrides):
        merged |= values
    try:
        settings = Settings(**merged)
    except ValidationError as error:
        faults += [_sentence(fault) for fault in error.errors()]
    if faults:
        raise SettingsError(" ".join(faults))
    return settings


def _sentence(fault: "ErrorDetails") -> str:
    """Say which setting it is, what it was set to, and what is wrong with that."""
    wrong = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:
        return f"{wrong}."
    name = str(fault["loc"][0])
    value = f"={fault['input']}" if Settings.model_fields[name].repr else ""
    return f"{PREFIX}{name.upper()}{value}: {wrong[0].lower()}{wrong[1:]}."


def origins(**overrides: Any) -> dict[str, str]:
    """Return where each setting's value came from, for `headwater settings`."""
    found = dict.fromkeys(Settings.model_fields, "default")
    for origin, values in _layers(overrides):
        found |= dict.fromkeys(values, origin)
    return found


def _layers(overrides: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Return what each source says, weakest first."""
    given = {name: value for name, value in overrides.items() if value is not None}
    from_environment = {name: value for name in Settings.model_fields if (value := _variable(name))}
    default = Settings.model_fields["data"].default
    data = Path(given.get("data") or from_environment.get("data") or default)
    return [(FILE, _read_file(data / FILE)), ("environment", from_environment), ("option", given)]


def _variable(name: str) -> str:
    return os.environ.get(PREFIX + name.upper(), "")  # noqa: TID251 — this is the one home


def _read_file(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except PermissionError as error:
        if not os.access(path.parent, os.X_OK):
            return {}  # who opens the data folder says so
        raise SettingsError(f"{path} cannot be read: {error.strerror}.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from None
    unknown = found.keys() - Settings.model_fields.keys()
    if unknown:
        raise SettingsError(f"{path}: no setting is called {', '.join(sorted(unknown))}.")
    if "data" in found:
        raise SettingsError(f"{path}: the data folder cannot be set by a file inside it.")
    return found


def _unknown_variables() -> list[str]:
    """A typo in a variable's name would otherwise be a setting silently not set."""
    known = {PREFIX + name.upper() for name in Settings.model_fields} | OTHERS
    return [
        f"{name} is not a setting; `headwater settings` lists them."
        for name in os.environ  # noqa: TID251
        if name.startswith(PREFIX) and name not in known
    ]
