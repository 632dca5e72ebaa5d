"""Where a bucket is: the URL of HEADWATER_BLOBS read once, and the clients that talk to it.

Two libraries, each for what it does best: obstore (Rust, off the interpreter's lock) moves bytes;
boto3 makes multipart uploads, rules and presigned addresses, which obstore cannot.
"""

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import parse_qs, unquote, urlsplit

import boto3
from botocore.config import Config
from obstore.store import S3Store

from headwater.engines.blobs.port import KEY_SHAPE
from headwater.model.errors import SettingsError

FORM = (
    "s3://KEY:SECRET@BUCKET[/PREFIX]?endpoint=http://HOST:PORT[&region=us-east-1]"
    "[&style=path|host][&public_endpoint=https://…]"
)
TERMS = {"endpoint", "region", "style", "public_endpoint"}
CONNECT_S = 2.0
SILENCE_S = 4.0  # a gateway that says nothing for so long is asked once more, elsewhere if it can
PUT_S = 60.0  # 16 MB at 2 Mbit/s; its answer comes only after the bytes
CONNECTIONS = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One prefix of one bucket; no trace of the secret in its repr."""

    bucket: str
    prefix: str
    endpoint: str
    public_endpoint: str
    region: str
    style: Literal["path", "host"]
    key: str
    secret: str

    def __repr__(self) -> str:
        return f"{self.path_of_bucket} at {self.endpoint}"

    @property
    def path_of_bucket(self) -> str:
        return "/".join(filter(None, ("s3:/", self.bucket, self.prefix)))

    def path(self, *words: str) -> str:
        """Return the object's name in the bucket for *words* below the prefix."""
        return "/".join(filter(None, (self.prefix, *words)))

    def address(self, path: str) -> str:
        """Return where clients out there find the object *path*."""
        return f"{self.base(self.public_endpoint)}/{path}"

    @property
    def origin(self) -> str:
        """Return scheme://host of those addresses."""
        scheme, _, rest = self.base(self.public_endpoint).partition("://")
        return f"{scheme}://{rest.partition('/')[0]}"

    def base(self, endpoint: str) -> str:
        """Return the address of the bucket at *endpoint*, in the style asked for."""
        scheme, _, host = endpoint.partition("://")
        if self.style == "host":
            return f"{scheme}://{self.bucket}.{host}"
        return f"{endpoint}/{self.bucket}"


def place_of(url: str) -> Place:
    """Read HEADWATER_BLOBS=s3://…. Raises SettingsError, which never shows the secret."""
    parts = urlsplit(url)
    terms = parse_qs(parts.query)
    unknown = sorted(terms.keys() - TERMS)
    key, secret = unquote(parts.username or ""), unquote(parts.password or "")
    bucket = parts.netloc.rpartition("@")[2]
    prefix = parts.path.strip("/")
    values = {name: found[-1].rstrip("/") for name, found in terms.items()}
    style = values.get("style", "path")
    endpoint = values.get("endpoint", "")
    public = values.get("public_endpoint", endpoint)
    good = key and secret and bucket and not unknown and style in {"path", "host"}
    if not good or not all(map(_is_endpoint, (endpoint, public))):
        wrong = f" ({', '.join(unknown)} is not known)" if unknown else ""
        raise SettingsError(f"HEADWATER_BLOBS: use {FORM}{wrong}.")
    if prefix and not KEY_SHAPE.fullmatch(prefix):
        raise SettingsError(
            "HEADWATER_BLOBS: a prefix has words of letters, digits, '.', '_', '-', joined by '/'."
        )
    return Place(
        bucket=bucket,
        prefix=prefix,
        endpoint=endpoint,
        public_endpoint=public,
        region=values.get("region", "us-east-1"),
        style="host" if style == "host" else "path",
        key=key,
        secret=secret,
    )


def _is_endpoint(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and not parts.path


def byte_client(place: Place, *, silence_s: float) -> S3Store:
    """Return what moves bytes; trying again is not its own business but s3_calls'."""
    return S3Store(
        place.bucket,
        endpoint=place.base(place.endpoint) if place.style == "host" else place.endpoint,
        region=place.region,
        access_key_id=place.key,
        secret_access_key=place.secret,
        virtual_hosted_style_request=place.style == "host",
        client_options={
            "allow_http": True,
            "connect_timeout": f"{CONNECT_S}s",
            "read_timeout": f"{silence_s}s",
            "timeout": f"{PUT_S}s",
            "user_agent": "headwater",
        },
        retry_config={"max_retries": 0},
    )


def control_client(place: Place) -> Any:
    """Return what makes multipart uploads and rules; blocking, safe to share between threads."""
    session = boto3.session.Session(
        aws_access_key_id=place.key,
        aws_secret_access_key=place.secret,
        region_name=place.region,
    )
    addressing = "virtual" if place.style == "host" else "path"
    return session.client(
        "s3",
        endpoint_url=place.endpoint,
        config=Config(
            signature_version="s3v4",
            # The hash of each part is signed, so the store refuses what changed on the way.
            s3={"addressing_style": addressing, "payload_signing_enabled": True},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
            connect_timeout=CONNECT_S,
            read_timeout=PUT_S,
            retries={"total_max_attempts": 1},
            max_pool_connections=CONNECTIONS,
        ),
    )
