"""What else a bucket must keep besides the order of its writers, tried on the bucket itself."""

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.awsrequest import AWSRequest
from botocore.exceptions import BotoCoreError
from botocore.httpsession import URLLib3Session

from headwater.engines.blobs.port import BlobKey, PartTicket
from headwater.engines.blobs.proof import FOLDER
from headwater.engines.blobs.s3_calls import Said
from headwater.engines.blobs.s3_tickets import TicketOffice
from headwater.engines.clock import Clock
from headwater.engines.entropy import ordered_id
from headwater.model.errors import SettingsError, Unavailable

if TYPE_CHECKING:
    from headwater.engines.blobs.s3 import S3Blobs

BODY = b"what a client was asked for"
TICKET_S = 60.0
SILENCE_S = 10.0
DAYS = 7
ABORT_RULE = "headwater-unfinished"
EXPIRE_RULE = "headwater-health"


async def prove_hashes(store: "S3Blobs") -> None:
    """Raise SettingsError unless a blob's ETag is the hash of what was put."""
    key = BlobKey(f"{FOLDER}/{ordered_id()}")
    try:
        stored = await store.put_absent(key, BODY)
    finally:
        await store.delete(key)
    if stored.etag != f"md5:{hashlib.md5(BODY, usedforsecurity=False).hexdigest()}":
        raise SettingsError(
            "HEADWATER_BLOBS: the ETag of this bucket is no hash of the content, as with keys of "
            "its own (SSE-KMS, SSE-C). Use a bucket without encryption or with SSE-S3."
        )


async def prove_tickets(store: "S3Blobs", clock: Clock) -> None:
    """Raise SettingsError unless a presigned address takes its bytes and no others."""
    office = TicketOffice(replace(store.place, public_endpoint=store.place.endpoint), clock)
    key = BlobKey(f"{FOLDER}/{ordered_id()}")
    ticket = office.ticket(
        store.path(key),
        length=len(BODY),
        checksum=hashlib.sha256(BODY).hexdigest(),
        expires_at=clock.now() + TICKET_S,
    )
    try:
        taken = {
            name: await store.calls.run(_put, ticket, body)
            for name, body in (
                ("other bytes", BODY[::-1]),
                ("more bytes", BODY + b"."),
                ("its bytes", BODY),
            )
        }
    finally:
        await store.delete(key)
    if wrong := [name for name, is_taken in taken.items() if is_taken != (name == "its bytes")]:
        raise SettingsError(
            f"HEADWATER_BLOBS: a presigned address was wrong about {', '.join(wrong)}: clients "
            "could put what they were not asked for, or nothing. Use a store that verifies "
            "x-amz-content-sha256 or x-amz-checksum-sha256."
        )


def _put(ticket: PartTicket, body: bytes) -> bool:
    """Say whether the store took *body* at the address of *ticket*."""
    headers = {**ticket.headers, "Content-Length": str(len(body))}
    request = AWSRequest(method="PUT", url=ticket.url, headers=headers, data=body)
    session = URLLib3Session(timeout=SILENCE_S, max_pool_connections=1)
    try:
        answer = session.send(request.prepare())
    except BotoCoreError as error:
        raise Unavailable(f"the blob store does not answer ({type(error).__name__})") from error
    finally:
        session.close()
    if answer.status_code >= 500:
        raise Unavailable(f"the blob store answers {answer.status_code}")
    return bool(answer.status_code < 300)


async def arrange(store: "S3Blobs") -> list[str]:
    """Give a bucket that has no rules those that help, and say what it has.

    Rules somebody else made are left alone: a bucket keeps one list of each kind, and setting it
    replaces all of it.
    """
    return [
        f"unfinished uploads: {await _lifecycle(store)}",
        f"uploads from browsers: {await _origins(store)}",
    ]


async def _lifecycle(store: "S3Blobs") -> str:
    rules = [
        {
            "ID": ABORT_RULE,
            "Status": "Enabled",
            "Filter": {"Prefix": store.place.path("long") + "/"},
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": DAYS},
        },
        {
            "ID": EXPIRE_RULE,
            "Status": "Enabled",
            "Filter": {"Prefix": store.path(BlobKey(FOLDER)) + "/"},
            "Expiration": {"Days": 1},
        },
    ]
    there = await _found(store, "get_bucket_lifecycle_configuration", "Rules")
    if there:
        names = {rule.get("ID") for rule in there}
        is_kept = ABORT_RULE in names or any("AbortIncompleteMultipartUpload" in r for r in there)
        return "removed by a rule" if is_kept else f"kept; add a rule that aborts after {DAYS} days"
    done = await _set(
        store, "put_bucket_lifecycle_configuration", LifecycleConfiguration={"Rules": rules}
    )
    return f"removed after {DAYS} days, by a rule set now" if done else "kept; we may set no rule"


async def _origins(store: "S3Blobs") -> str:
    rule = {
        "AllowedMethods": ["PUT"],
        "AllowedOrigins": ["*"],  # the signature in the address is the permission
        "AllowedHeaders": ["*"],
        "ExposeHeaders": ["ETag"],
        "MaxAgeSeconds": 3600,
    }
    there = await _found(store, "get_bucket_cors", "CORSRules")
    if there:
        is_kept = any("PUT" in found["AllowedMethods"] for found in there)
        return "allowed by a rule" if is_kept else "through the server; add a CORS rule for PUT"
    done = await _set(store, "put_bucket_cors", CORSConfiguration={"CORSRules": [rule]})
    return "allowed by a rule set now" if done else "through the server; we may set no CORS rule"


async def _found(store: "S3Blobs", ask: str, name: str) -> list[Any]:
    """Return the rules there are; none too if we may not look."""
    call = getattr(store.control, ask)
    try:
        answer = await store.calls.run(lambda: call(Bucket=store.place.bucket))
    except (Said, Unavailable):
        return []
    return list(answer.get(name, []))


async def _set(store: "S3Blobs", ask: str, **rules: Any) -> bool:
    call = getattr(store.control, ask)
    try:
        await store.calls.run(lambda: call(Bucket=store.place.bucket, **rules))
    except (Said, Unavailable):
        return False
    return True
