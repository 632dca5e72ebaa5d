"""/api/v1/session, /setup, /account and /keys: who is asking, and what they hold."""

from typing import Annotated

from fastapi import APIRouter, Header, Request, Response

from headwater.faces.kit import Faces, actor_of, principal_of
from headwater.faces.rest.answers import json_answer
from headwater.faces.rest.bodies import CreateKey, LogIn, SetUp, body_of
from headwater.faces.rest.documents import answers, takes
from headwater.faces.rest.views import (
    AccountView,
    KeyList,
    NewKeyView,
    UsageView,
    WhoView,
    account_view,
    key_view,
    new_key_view,
    usage_view,
    who_view,
)
from headwater.faces.signin import sign_in_response, sign_out_response
from headwater.model.account import Key, NewKey, SignedIn, Usage
from headwater.model.actor import ActorKind
from headwater.model.errors import Unauthenticated
from headwater.model.ids import KeyId

IdempotencyKey = Annotated[
    str | None,
    Header(min_length=1, max_length=255, description="Repeat with the same key: the first answer."),
]


class People:
    def __init__(self, faces: Faces) -> None:
        self.faces = faces

    async def whoami(self, request: Request) -> Response:
        """Who this request is from."""
        return json_answer(who_view(principal_of(request)))

    async def log_in(self, request: Request) -> Response:
        """Open a session and set its cookie; a session so far ends."""
        sent = await body_of(request, LogIn)
        principal = principal_of(request)
        replaces = principal.proof if principal and principal.kind is ActorKind.SESSION else None
        signed_in: SignedIn = await self.faces.runner.run(
            "sessions.log_in",
            actor_of(request),
            email=sent.email,
            password=sent.password,
            replaces=replaces,
        )
        return self._signed_in(signed_in, 200)

    async def log_out(self, request: Request) -> Response:
        """End the session of the request's cookie; without one nothing happens."""
        principal = principal_of(request)
        if principal is not None and principal.kind is ActorKind.SESSION:
            await self.faces.runner.run(
                "sessions.log_out", actor_of(request), proof=principal.proof
            )
        answer = Response(status_code=204)
        sign_out_response(self.faces, answer)
        return answer

    async def set_up(self, request: Request) -> Response:
        """Make the first owner with the token of the printed link, and sign them in."""
        sent = await body_of(request, SetUp)
        signed_in: SignedIn = await self.faces.runner.run(
            "accounts.set_up",
            actor_of(request),
            token=sent.token,
            email=sent.email,
            name=sent.name,
            password=sent.password,
        )
        return self._signed_in(signed_in, 201)

    async def account(self, request: Request) -> Response:
        """The caller's account: what it keeps and what it may keep."""
        usage: Usage = await self.faces.runner.run("accounts.usage", actor_of(request))
        principal = principal_of(request)
        if principal is None:
            raise Unauthenticated("Please sign in first.")
        return json_answer(usage_view(principal, usage))

    async def list_keys(self, request: Request) -> Response:
        """The caller's keys, oldest first, without their tokens."""
        keys: list[Key] = await self.faces.runner.run("keys.list", actor_of(request))
        return json_answer(KeyList(keys=[key_view(key) for key in keys]))

    async def create_key(
        self, request: Request, idempotency_key: IdempotencyKey = None
    ) -> Response:
        """Make a key; its token is in this answer and nowhere else."""
        sent = await body_of(request, CreateKey)
        new: NewKey = await self.faces.runner.run(
            "keys.create", actor_of(request), idempotency_key=idempotency_key, name=sent.name
        )
        return json_answer(new_key_view(new), 201)

    async def revoke_key(self, request: Request, key_id: str) -> Response:
        """End a key at once."""
        await self.faces.runner.run("keys.revoke", actor_of(request), key_id=KeyId(key_id))
        return Response(status_code=204)

    def _signed_in(self, signed_in: SignedIn, status: int) -> Response:
        answer = json_answer(account_view(signed_in.account), status)
        sign_in_response(self.faces, answer, signed_in)
        return answer


def router(faces: Faces) -> APIRouter:
    people = People(faces)
    found = APIRouter(prefix="/api/v1", tags=["people"], default_response_class=Response)
    add = found.add_api_route
    with_body = (400, 413, 415)
    add("/session", people.whoami, methods=["GET"], **answers(WhoView))
    add(
        "/session",
        people.log_in,
        methods=["POST"],
        openapi_extra=takes(LogIn),
        **answers(AccountView, *with_body),
    )
    add("/session", people.log_out, methods=["DELETE"], **answers(None, status=204))
    add(
        "/setup",
        people.set_up,
        methods=["POST"],
        openapi_extra=takes(SetUp),
        **answers(AccountView, *with_body, 409, status=201),
    )
    add("/account", people.account, methods=["GET"], **answers(UsageView, 404))
    add("/keys", people.list_keys, methods=["GET"], **answers(KeyList))
    add(
        "/keys",
        people.create_key,
        methods=["POST"],
        openapi_extra=takes(CreateKey),
        **answers(NewKeyView, *with_body, 409, status=201),
    )
    add("/keys/{key_id}", people.revoke_key, methods=["DELETE"], **answers(None, 404, status=204))
    return found
