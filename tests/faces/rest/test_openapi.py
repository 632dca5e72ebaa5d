"""The OpenAPI document is true: what it promises is what answers, also to nonsense."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from headwater.compose.core import Core
from headwater.compose.faces import open_faces
from headwater.model.video import Visibility
from tests.support.system import EMAIL, actor_of, add_video, application, system

EXAMPLES = 10  # an operation; the whole stays under some seconds
HELD = [  # what must hold for every answer
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "negative_data_rejection",
    "unsupported_method",
]


class OtherLoop:
    """The application on a loop of its own: the system's engines belong to one, the tester's
    client opens another for every request."""

    def __init__(self, app: ASGIApp, loop: asyncio.AbstractEventLoop) -> None:
        self._app, self._loop = app, loop

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        answer: list[Message] = []
        sent = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive_whole() -> Message:
            return next(sent, {"type": "http.disconnect"})

        async def collect(message: Message) -> None:
            answer.append(message)

        running = self._app({**scope}, receive_whole, collect)
        await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(_await(running), self._loop))
        for message in answer:
            await send(message)


async def _await(running: Any) -> None:
    await running


class Api:
    """The system on a thread of its own, with a video of each visibility."""

    def __init__(self, folder: Path) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever)
        self._thread.start()
        self._stack = AsyncExitStack()
        self.app, self.key, self.video = self.run(self._open(folder))

    def run(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(30)

    async def _open(self, folder: Path) -> tuple[ASGIApp, str, str]:
        core: Core = await self._stack.enter_async_context(system(folder))
        owner = await actor_of(core)
        videos = [await add_video(core, owner, visibility=kind) for kind in Visibility]
        made = await core.ask("keys.create", name="tests", email=EMAIL)
        return application(core, await open_faces(core)), made.token, videos[0].id

    def close(self) -> None:
        self.run(self._stack.aclose())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    opened = Api(tmp_path_factory.mktemp("api"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def schema_of(api: Api) -> Any:
    app = OtherLoop(api.app, api.loop)
    return schemathesis.openapi.from_asgi("/api/v1/openapi.json", app)


def check_operation(operation: Any, mode: GenerationMode, api: Api) -> None:
    """Ask *operation* EXAMPLES times with valid or with invalid data, and hold the answers."""
    checks = [check for check in CHECKS.get_all() if check.__name__ in HELD]

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def asked(case: Any) -> None:
        if mode is GenerationMode.POSITIVE and "video_id" in case.path_parameters:
            case.path_parameters["video_id"] = api.video
        case.call_and_validate(headers={"authorization": f"Bearer {api.key}"}, checks=checks)

    asked()


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_as_documented(schema_of: Any, api: Api, mode: GenerationMode) -> None:
    """With the owner's key, so that nonsense gets past the door."""
    asked = 0
    for found in schema_of.get_all_operations():
        operation = found.ok()
        if mode is GenerationMode.NEGATIVE and not (operation.query or operation.body):
            continue
        check_operation(operation, mode, api)
        asked += 1

    assert asked >= 5


def test_the_document_is_whole(schema_of: Any) -> None:
    raw = schema_of.raw_schema

    assert raw["openapi"].startswith("3.1")
    assert set(raw["paths"]) >= {
        "/api/v1/videos",
        "/api/v1/videos/{video_id}",
        "/api/v1/session",
        "/api/v1/keys",
        "/api/v1/setup",
    }
    for path in raw["paths"].values():
        for operation in path.values():
            problem = operation["responses"]["422"]["content"]
            assert set(problem) == {"application/problem+json"}
