"""decide(): the whole table of who may do what to which video."""

from itertools import product

import pytest

from headwater.access.decide import Action, Owned, decide, require
from headwater.model.actor import SYSTEM, Actor, ActorKind, Role, anonymous
from headwater.model.errors import Forbidden, NotFound, Unauthenticated, VideoNotFound
from headwater.model.ids import AccountId, VideoId
from headwater.model.video import Video, VideoState, Visibility

MINE, ELSE = AccountId("mine"), AccountId("else")
ACTORS = {
    "nobody": anonymous("192.0.2.1"),
    "member": Actor(kind=ActorKind.SESSION, account=ELSE, role=Role.MEMBER),
    "self": Actor(kind=ActorKind.KEY, account=MINE, role=Role.MEMBER),
    "owner": Actor(kind=ActorKind.SESSION, account=AccountId("owner"), role=Role.OWNER),
    "system": SYSTEM,
}
CHANGES = (Action.VIDEO_EDIT, Action.VIDEO_DELETE, Action.VIDEO_RESTORE)


def video(visibility: Visibility, *, is_deleted: bool = False) -> Video:
    return Video(
        id=VideoId("v"),
        owner=MINE,
        title="",
        description="",
        visibility=visibility,
        state=VideoState.READY,
        failure=None,
        damage=None,
        generation=None,
        stream=None,
        duration_s=None,
        width_px=None,
        height_px=None,
        source_bytes=0,
        stored_bytes=0,
        progress=1.0,
        created_at=0.0,
        playable_at=None,
        ready_at=None,
        deleted_at=1.0 if is_deleted else None,
        version=1,
    )


@pytest.mark.parametrize(("who", "visibility"), list(product(ACTORS, Visibility)))
def test_looking_and_watching(who: str, visibility: Visibility) -> None:
    """Unlisted: whoever has the link; private: its account and the owner of the server."""
    expected = visibility is not Visibility.PRIVATE or who in {"self", "owner", "system"}

    for action in (Action.VIDEO_SEE, Action.VIDEO_WATCH):
        assert decide(ACTORS[who], action, video(visibility)).allowed is expected


@pytest.mark.parametrize(
    ("who", "visibility", "action"), list(product(ACTORS, Visibility, CHANGES))
)
def test_changing_is_for_its_account_and_the_owner(
    who: str, visibility: Visibility, action: Action
) -> None:
    expected = who in {"self", "owner", "system"}

    assert decide(ACTORS[who], action, video(visibility)).allowed is expected


@pytest.mark.parametrize(("who", "visibility"), list(product(ACTORS, Visibility)))
def test_a_deleted_video_is_seen_by_who_can_restore_it_and_watched_by_nobody(
    who: str, visibility: Visibility
) -> None:
    deleted = video(visibility, is_deleted=True)

    seen = decide(ACTORS[who], Action.VIDEO_SEE, deleted).allowed
    watched = decide(ACTORS[who], Action.VIDEO_WATCH, deleted).allowed

    assert seen is (who in {"self", "owner", "system"})
    assert watched is (who == "system")


def test_what_belongs_to_somebody_else_does_not_exist() -> None:
    """Not even for the owner of the server: uploads and keys are private."""
    thing = Owned(MINE)

    require(ACTORS["self"], Action.KEY_REVOKE, thing)
    for who in ("nobody", "member", "owner"):
        with pytest.raises(NotFound):
            require(ACTORS[who], Action.KEY_REVOKE, thing)


def test_a_refusal_says_no_more_than_the_caller_may_know() -> None:
    with pytest.raises(VideoNotFound):
        require(ACTORS["member"], Action.VIDEO_EDIT, video(Visibility.PRIVATE))
    with pytest.raises(Forbidden):
        require(ACTORS["member"], Action.VIDEO_EDIT, video(Visibility.PUBLIC))
    with pytest.raises(Unauthenticated):
        require(ACTORS["nobody"], Action.VIDEO_EDIT, video(Visibility.PUBLIC))


@pytest.mark.parametrize("action", list(Action))
def test_every_refusal_has_a_reason(action: Action) -> None:
    for actor in ACTORS.values():
        for resource in (None, Owned(MINE), video(Visibility.PRIVATE)):
            decision = decide(actor, action, resource)
            assert decision.allowed or decision.reason.endswith(".")
