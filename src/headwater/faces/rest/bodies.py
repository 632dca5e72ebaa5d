"""What the API takes: one strict struct per body; an unknown field is an error, not a surprise."""

from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType
from starlette.exceptions import HTTPException
from starlette.requests import Request

from headwater.library.edit_video import DESCRIPTION_CHARACTERS, TITLE_CHARACTERS
from headwater.model.errors import InvalidInput
from headwater.model.video import Visibility

Title = Annotated[str, Meta(min_length=1, max_length=TITLE_CHARACTERS)]
Description = Annotated[str, Meta(max_length=DESCRIPTION_CHARACTERS)]
Email = Annotated[str, Meta(min_length=3, max_length=254)]
Password = Annotated[str, Meta(min_length=1, max_length=1000)]
Name = Annotated[str, Meta(max_length=80)]
KeyName = Annotated[str, Meta(min_length=1, max_length=80)]
Token = Annotated[str, Meta(min_length=1, max_length=200)]


class VideoPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A merge patch (RFC 7396): what is left out stays as it is."""

    title: Title | UnsetType = UNSET
    description: Description | UnsetType = UNSET
    visibility: Visibility | UnsetType = UNSET


class LogIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    email: Email
    password: Password


class SetUp(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """*token* is that of the printed set-up link."""

    token: Token
    email: Email
    password: Password
    name: Name = ""


class CreateKey(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    name: KeyName


T = TypeVar("T")
JSON_TYPES = frozenset({"application/json", "application/merge-patch+json"})


async def body_of(request: Request, kind: type[T]) -> T:
    """Decode the request's JSON strictly.

    Raises:
        HTTPException: 415 not sent as JSON, 400 not JSON.
        InvalidInput: JSON of another shape.
    """
    sent_as = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if sent_as not in JSON_TYPES:
        raise HTTPException(415)
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except msgspec.ValidationError as error:
        raise InvalidInput(str(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise HTTPException(400) from None
