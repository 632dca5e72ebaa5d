"""`headwater jobs`: work that waits, runs, or gave up."""

from typing import TYPE_CHECKING, Annotated

import typer

from headwater.cli.core import Data, with_core
from headwater.cli.table import moment, show
from headwater.model.job import JobState

if TYPE_CHECKING:
    from headwater.model.job import Job

app = typer.Typer(help="Work that waits, runs, or gave up.", no_args_is_help=True)
STATES = ", ".join(JobState)
JobId = Annotated[str, typer.Argument(metavar="ID", help="As listed.")]


@app.command("list")
def list_jobs(
    state: Annotated[
        str | None,
        typer.Option(help=f"Only those: {STATES}. Dead ones gave up.", show_default=False),
    ] = None,
    data: Data = None,
) -> None:
    """List jobs, newest first."""
    if state not in {None, *JobState}:
        raise typer.BadParameter(f"use one of {STATES}", param_hint="--state")
    jobs: list[Job] = with_core(
        lambda core: core.ask("jobs.list", state=state and JobState(state)), data=data
    )
    show(
        ("id", "kind", "video", "state", "failures", "changed", "error"),
        (
            (
                job.id,
                job.kind,
                job.video,
                job.state,
                str(job.attempts),
                moment(job.updated_at),
                job.error or "",
            )
            for job in jobs
        ),
        empty="No jobs." if state is None else f"No jobs are {state}.",
    )


@app.command("show")
def show_job(job_id: JobId, data: Data = None) -> None:
    """Say everything about one job."""
    import msgspec

    job: Job = with_core(lambda core: core.ask("jobs.show", job_id=job_id), data=data)
    for name, value in msgspec.to_builtins(job).items():
        is_moment = name.endswith(("_at", "_until"))
        print(f"{name}: {moment(value) if is_moment else value}")


@app.command()
def retry(job_id: JobId, data: Data = None) -> None:
    """Let a job that gave up try again."""
    with_core(lambda core: core.ask("jobs.retry", job_id=job_id), data=data)
    print(f"Queued {job_id} again.")
