"""/api/v1/jobs and /space: what whoever runs this server looks at; for its owner only."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from headwater.faces.kit import Faces, actor_of
from headwater.faces.rest.answers import json_answer
from headwater.faces.rest.documents import answers
from headwater.faces.rest.views import JobList, JobView, job_view
from headwater.model.ids import JobId
from headwater.model.job import Job, JobState
from headwater.pipeline.retry_job import LISTED
from headwater.pipeline.space import Space

Limit = Annotated[int, Query(ge=1, le=LISTED, description="Jobs in the list.")]
State = Annotated[JobState | None, Query(description="Only jobs in this state.")]


class Operating:
    def __init__(self, faces: Faces) -> None:
        self.faces = faces

    async def list_jobs(
        self, request: Request, state: State = None, limit: Limit = LISTED
    ) -> Response:
        """The newest jobs."""
        jobs: list[Job] = await self.faces.runner.run(
            "jobs.list", actor_of(request), state=state, limit=limit
        )
        return json_answer(JobList(jobs=[job_view(job) for job in jobs]))

    async def show_job(self, request: Request, job_id: str) -> Response:
        job: Job = await self.faces.runner.run("jobs.show", actor_of(request), job_id=JobId(job_id))
        return json_answer(job_view(job))

    async def retry_job(self, request: Request, job_id: str) -> Response:
        """Try a job that gave up again."""
        job: Job = await self.faces.runner.run(
            "jobs.retry", actor_of(request), job_id=JobId(job_id)
        )
        return json_answer(job_view(job))

    async def space(self, request: Request) -> Response:
        """What the store holds and which videos cost most."""
        space: Space = await self.faces.runner.run("space.report", actor_of(request))
        return json_answer(space)


def router(faces: Faces) -> APIRouter:
    operating = Operating(faces)
    found = APIRouter(prefix="/api/v1", tags=["operating"], default_response_class=Response)
    add = found.add_api_route
    add("/jobs", operating.list_jobs, methods=["GET"], **answers(JobList))
    add("/jobs/{job_id}", operating.show_job, methods=["GET"], **answers(JobView, 404))
    add(
        "/jobs/{job_id}/retry",
        operating.retry_job,
        methods=["POST"],
        **answers(JobView, 404, 409),
    )
    add("/space", operating.space, methods=["GET"], **answers(Space))
    return found
