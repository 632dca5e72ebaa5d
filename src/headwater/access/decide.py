"""Whether: one function answers every question of permission, by role, ownership and visibility.

Each policy is one sentence that is true or false. Nothing else in the code compares owners.
"""

from dataclasses import dataclass
from enum import StrEnum

from headwater.model.actor import Actor, ActorKind, Role
from headwater.model.errors import Forbidden, NotFound, Unauthenticated, VideoNotFound
from headwater.model.ids import AccountId
from headwater.model.video import Video, Visibility


class Action(StrEnum):
    """Everything that can be permitted, as "resource:verb"."""

    ACCOUNT_SEE = "account:see"
    ACCOUNT_SET_UP = "account:set-up"
    SESSION_OPEN = "session:open"
    SESSION_CLOSE = "session:close"
    KEY_SEE = "key:see"
    KEY_CREATE = "key:create"
    KEY_REVOKE = "key:revoke"
    VIDEO_SEE = "video:see"
    VIDEO_WATCH = "video:watch"
    VIDEO_EDIT = "video:edit"
    VIDEO_DELETE = "video:delete"
    VIDEO_RESTORE = "video:restore"
    UPLOAD_CREATE = "upload:create"
    UPLOAD_SEE = "upload:see"
    UPLOAD_WRITE = "upload:write"
    UPLOAD_DELETE = "upload:delete"
    JOB_SEE = "job:see"
    JOB_RETRY = "job:retry"
    JOB_RUN = "job:run"
    EVENT_SEE = "event:see"
    EVENT_RETRY = "event:retry"
    SPACE_SEE = "space:see"
    SYSTEM_SEE = "system:see"


@dataclass(frozen=True, slots=True)
class Owned:
    """What belongs to one account (an upload, a key, a job) and is nobody else's business."""

    owner: AccountId


@dataclass(frozen=True, slots=True)
class Decision:
    """*reason* is one sentence for the log or the person; empty when allowed."""

    allowed: bool
    reason: str = ""


Resource = Video | Owned | None
ALLOWED = Decision(allowed=True)
_LOOKING = {Action.VIDEO_SEE, Action.VIDEO_WATCH}
_FOR_OWNER_ROLE = {
    *(Action.JOB_SEE, Action.JOB_RETRY, Action.EVENT_SEE, Action.EVENT_RETRY),
    *(Action.SPACE_SEE, Action.SYSTEM_SEE),
}
_FOR_ANYONE = {Action.ACCOUNT_SET_UP, Action.SESSION_OPEN, Action.SESSION_CLOSE, Action.SYSTEM_SEE}


def decide(actor: Actor, action: Action, resource: Resource = None) -> Decision:
    """Say whether *actor* may do *action* to *resource* (None: to the kind of thing at all)."""
    if actor.kind is ActorKind.SYSTEM:
        return ALLOWED
    if isinstance(resource, Video):
        return _on_video(actor, action, resource)
    if isinstance(resource, Owned):
        return _on_owned(actor, action, resource)
    if action in _FOR_ANYONE or action in _LOOKING or actor.role is Role.OWNER:
        return ALLOWED
    if action in _FOR_OWNER_ROLE:
        return Decision(allowed=False, reason="Only the owner of this server may do this.")
    if not actor.is_signed_in:
        return Decision(allowed=False, reason="Please sign in first.")
    return ALLOWED


def require(actor: Actor, action: Action, resource: Resource = None) -> None:
    """Pass if decide() allows it.

    Raises:
        VideoNotFound, NotFound: the actor may not even know that the thing exists.
        Unauthenticated: signing in might help.
        Forbidden: it would not.
    """
    decision = decide(actor, action, resource)
    if decision.allowed:
        return
    if isinstance(resource, Video) and not decide(actor, Action.VIDEO_SEE, resource).allowed:
        raise VideoNotFound("There is no such video, or it is not shared with you.")
    if isinstance(resource, Owned):
        raise NotFound("There is no such thing, or it is not yours.")
    if not actor.is_signed_in:
        raise Unauthenticated(decision.reason)
    raise Forbidden(decision.reason)


def _on_video(actor: Actor, action: Action, video: Video) -> Decision:
    if _owns(actor, video.owner) or actor.role is Role.OWNER:
        if action is Action.VIDEO_WATCH and video.deleted_at is not None:
            return Decision(allowed=False, reason="This video was deleted.")
        return ALLOWED
    if action not in _LOOKING:
        return Decision(allowed=False, reason="This video belongs to somebody else.")
    if video.deleted_at is not None:
        return Decision(allowed=False, reason="This video was deleted.")
    if video.visibility is Visibility.PRIVATE:
        return Decision(allowed=False, reason="This video is private.")
    return ALLOWED


def _on_owned(actor: Actor, action: Action, thing: Owned) -> Decision:
    if _owns(actor, thing.owner):
        return ALLOWED
    if actor.role is Role.OWNER and action in _FOR_OWNER_ROLE:
        return ALLOWED
    return Decision(allowed=False, reason="This belongs to somebody else.")


def _owns(actor: Actor, owner: AccountId) -> bool:
    return actor.account is not None and actor.account == owner
