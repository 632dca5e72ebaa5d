"""For who runs the server: the jobs, those given up first, each with its way back."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from headwater.faces.web import views
from headwater.faces.web.site import Site, redirect, require_visitor
from headwater.model.ids import JobId
from headwater.model.job import Job, JobState

ROWS = 100
ORDER = (JobState.DEAD, JobState.LEASED, JobState.QUEUED, JobState.DONE, JobState.CANCELLED)


def routes(site: Site) -> list[BaseRoute]:
    async def operations(request: Request) -> Response:
        require_visitor(request)
        jobs: list[Job] = await site.ask(request, "jobs.list", limit=ROWS)
        now = site.now
        ordered = sorted(jobs, key=lambda job: (ORDER.index(job.state), -job.updated_at))
        rows = [views.job_row(site.texts, job, now=now) for job in ordered]
        return site.render(
            request,
            "operations.html",
            here="operations",
            jobs=rows,
            intro=_sentence(site, jobs),
        )

    async def retry(request: Request) -> Response:
        await site.ask(request, "jobs.retry", job_id=JobId(request.path_params["id"]))
        return redirect("/studio/operations")

    return [
        Route("/studio/operations", site.page(operations)),
        Route("/studio/operations/jobs/{id}/retry", site.page(retry), methods=["POST"]),
    ]


def _sentence(site: Site, jobs: list[Job]) -> str:
    """Say in one sentence how things stand and what to do next."""
    dead = sum(job.state is JobState.DEAD for job in jobs)
    busy = sum(job.state in (JobState.QUEUED, JobState.LEASED) for job in jobs)
    if dead:
        return site.texts("operations.intro_dead", n=dead)
    if busy:
        return site.texts("operations.intro_busy", n=busy)
    return site.texts("operations.intro_none")
