"""Everything that can go wrong, named once, free of any protocol.

HeadwaterError
├── InvalidInput            can never succeed as written
│   ├── UnreadableMedia     the bytes are not a video or audio file we can read
│   ├── RefusedMedia        a kind of file refused on purpose (playlist, archive, script)
│   ├── ChecksumMismatch
│   ├── RangeNotSatisfiable
│   └── SettingsError
├── Unauthenticated         nobody is signed in, or the proof is wrong
├── Forbidden
├── NotFound
│   ├── BlobNotFound
│   ├── UploadNotFound
│   └── VideoNotFound
├── Gone                    existed, will not come back
├── Conflict                true now; may be false after a re-read
│   ├── IntegrityViolated   a row that is unique is there already, or one it needs is not
│   ├── OffsetMismatch
│   ├── UploadIncomplete
│   ├── UploadLocked
│   ├── StaleWrite          If-Match names another version
│   └── RequestInFlight     the same Idempotency-Key is being answered right now
├── KeyReused               the same Idempotency-Key with another body
├── TooLarge                a stated limit or quota would be passed
├── RateLimited
├── StorageFull
└── Unavailable             an engine failed or is busy; the same call may succeed later
    ├── Overloaded          the encoders are behind: new uploads come later
    ├── Moved               the rows live in another database by now; nothing was begun here
    ├── BeingMade           what was asked for is on its way, and took longer than one is held
    └── CodecFailed         a codec process died, timed out or broke a limit
        └── CannotContinue  what this generation lacks cannot be made any more: open another
            ├── CannotCopy  these samples cannot be handed on as uploaded: plan without copying
            └── OtherBuild  another build of the encoder made what is there

A face maps the second level only, so a new leaf never edits a face.
"""

from typing import ClassVar


class HeadwaterError(Exception):
    """Base of every expected error: *code* is for machines, the message is safe for users."""

    code: ClassVar[str] = "internal"
    retryable: ClassVar[bool] = False

    def __init__(self, message: str = "", *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class InvalidInput(HeadwaterError):
    code = "invalid-input"


class UnreadableMedia(InvalidInput):
    code = "unreadable-media"


class RefusedMedia(InvalidInput):
    code = "refused-media"


class ChecksumMismatch(InvalidInput):
    code = "checksum-mismatch"


class RangeNotSatisfiable(InvalidInput):
    code = "range-not-satisfiable"


class SettingsError(InvalidInput):
    code = "settings"


class Unauthenticated(HeadwaterError):
    code = "unauthenticated"


class Forbidden(HeadwaterError):
    code = "forbidden"


class NotFound(HeadwaterError):
    code = "not-found"


class BlobNotFound(NotFound):
    code = "blob-not-found"


class UploadNotFound(NotFound):
    code = "upload-not-found"


class VideoNotFound(NotFound):
    code = "video-not-found"


class Gone(HeadwaterError):
    code = "gone"


class Conflict(HeadwaterError):
    code = "conflict"


class IntegrityViolated(Conflict):
    code = "integrity-violated"


class OffsetMismatch(Conflict):
    code = "offset-mismatch"


class UploadIncomplete(Conflict):
    code = "upload-incomplete"


class UploadLocked(Conflict):
    code = "upload-locked"
    retryable = True


class StaleWrite(Conflict):
    code = "stale-write"


class RequestInFlight(Conflict):
    code = "request-in-flight"
    retryable = True


class KeyReused(HeadwaterError):
    code = "idempotency-key-reused"


class TooLarge(HeadwaterError):
    code = "too-large"


class RateLimited(HeadwaterError):
    code = "rate-limited"
    retryable = True


class StorageFull(HeadwaterError):
    code = "storage-full"
    retryable = True


class Unavailable(HeadwaterError):
    code = "unavailable"
    retryable = True


class Overloaded(Unavailable):
    code = "overloaded"


class Moved(Unavailable):
    code = "moved"


class BeingMade(Unavailable):
    code = "being-made"


class CodecFailed(Unavailable):
    code = "codec-failed"


class CannotContinue(CodecFailed):
    code = "cannot-continue"


class CannotCopy(CannotContinue):
    code = "cannot-copy"


class OtherBuild(CannotContinue):
    code = "other-build"
