"""For who runs the server: the jobs, those given up first, lost events, where the space goes."""

import math

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from headwater.engines.events.port import DeadLetter
from headwater.faces.web import views, words
from headwater.faces.web.site import Site, redirect, require_visitor
from headwater.faces.web.texts import Texts
from headwater.forces.admission import Admission, Level, Reason
from headwater.model.ids import JobId
from headwater.model.job import Job, JobState
from headwater.pipeline.space import Space, VideoSpace

ROWS = 30
COSTLIEST = 10
LOW_SHARE = 0.1  # of the disk: below it the page says what to do
ORDER = (JobState.DEAD, JobState.LEASED, JobState.QUEUED, JobState.DONE, JobState.CANCELLED)


def routes(site: Site) -> list[BaseRoute]:
    async def operations(request: Request) -> Response:
        require_visitor(request)
        newest: list[Job] = await site.ask(request, "jobs.list", limit=ROWS)
        dead: list[Job] = await site.ask(request, "jobs.list", state=JobState.DEAD, limit=ROWS)
        letters: list[DeadLetter] = await site.ask(request, "events.list", limit=ROWS)
        space: Space = await site.ask(request, "space.report")
        jobs = list({job.id: job for job in [*dead, *newest]}.values())
        now = site.now
        load = load_line(site.texts, await site.ask(request, "system.load"))
        ordered = sorted(jobs, key=lambda job: (ORDER.index(job.state), -job.updated_at))
        rows = [views.job_row(site.texts, job, now=now) for job in ordered]
        return site.render(
            request,
            "operations.html",
            here="operations",
            jobs=rows,
            intro=_sentence(site, jobs, is_behind=bool(load)),
            load=load,
            letters=[_letter(site, letter) for letter in letters],
            space=_gauges(site, space),
            costliest=[_cost(video) for video in space.costliest[:COSTLIEST]],
        )

    async def retry(request: Request) -> Response:
        await site.ask(request, "jobs.retry", job_id=JobId(request.path_params["id"]))
        return redirect("/studio/operations")

    async def retry_event(request: Request) -> Response:
        await site.ask(request, "events.retry", **request.path_params)
        return redirect("/studio/operations")

    again = "/studio/operations/events/{consumer}/{event}/retry"
    return [
        Route("/studio/operations", site.page(operations)),
        Route("/studio/operations/jobs/{id}/retry", site.page(retry), methods=["POST"]),
        Route(again, site.page(retry_event), methods=["POST"]),
    ]


def _sentence(site: Site, jobs: list[Job], *, is_behind: bool) -> str:
    """Say in one sentence how things stand and what to do next; *is_behind*: another says that."""
    dead = sum(job.state is JobState.DEAD for job in jobs)
    busy = sum(job.state in (JobState.QUEUED, JobState.LEASED) for job in jobs)
    if dead:
        return site.texts("operations.intro_dead", n=dead)
    if is_behind:
        return site.texts("operations.intro_behind", n=busy)
    if busy:
        return site.texts("operations.intro_busy", n=busy)
    return site.texts("operations.intro_none")


def load_line(texts: Texts, admission: Admission) -> str:
    """Say in one line what waits because the encoders are behind; "" while nothing does."""
    if admission.reason is Reason.DISK:
        return texts("operations.load_disk")
    if admission.reason is Reason.STORE:
        return texts("operations.load_store")
    if admission.load.plans and not admission.load.encoders:
        return texts("operations.load_idle")
    if admission.reason is None:
        return ""
    minutes = math.ceil(admission.load.wait_s / words.MINUTE_S)
    is_later = admission.level is Level.LATER
    return texts("operations.load_later" if is_later else "operations.load_waits", n=minutes)


def _gauges(site: Site, space: Space) -> dict[str, object]:
    """Say how full the disk and the budget are, and what to do about it."""
    used = space.source_bytes + space.stored_bytes
    taken = {
        "used": words.size(used),
        "source": words.size(space.source_bytes),
        "stored": words.size(space.stored_bytes),
    }
    disk = 0
    if space.free_bytes is None:
        sentences = [site.texts("operations.space_taken", **taken)]
    else:
        disk = used + space.free_bytes
        low = space.free_bytes < LOW_SHARE * disk
        sentences = [
            site.texts("operations.space_used", **taken, free=words.size(space.free_bytes)),
            site.texts("operations.space_low" if low else "operations.space_fine"),
        ]
    budget = space.budget_bytes
    if budget:
        stored, most = words.size(space.stored_bytes), words.size(budget)
        sentences.insert(1, site.texts("operations.space_budget", stored=stored, budget=most))
    return {
        "sentences": sentences,
        "disk": round(used / disk, 3) if disk else None,
        "budget": round(space.stored_bytes / budget, 3) if budget else None,
        "high": 1 - LOW_SHARE,
    }


def _letter(site: Site, letter: DeadLetter) -> dict[str, str]:
    """Return one event that was given up, ready to print."""
    recorded_at = letter.event.created_at
    return {
        "consumer": letter.consumer,
        "event": letter.event.id,
        "topic": letter.event.topic,
        "body": letter.event.body.decode(errors="replace"),
        "attempts": str(letter.attempts),
        "error": letter.error,
        "age": words.age(site.texts, recorded_at, site.now),
        "recorded": words.machine_time(recorded_at),
        "recorded_exact": words.exact_time(recorded_at),
    }


def _cost(video: VideoSpace) -> dict[str, str]:
    return {
        "id": video.id,
        "title": video.title,
        "source": words.size(video.source_bytes),
        "made": words.size(video.stored_bytes),
        "total": words.size(video.source_bytes + video.stored_bytes),
    }
