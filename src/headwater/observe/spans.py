"""Every span's name, once. Operations and calls of engines have spans by their own names.

Attributes are ids and counts of ours: never a title, an address, a key, a token or a bare name.
"""

SPANS: dict[str, str] = {}


def _span(name: str, about: str) -> str:
    SPANS[name] = about
    return name


REQUEST = _span("request", "An HTTP request, from its head to the end of the answer.")
JOB_WAITED = _span("job.waited", "From when a job may begin until a worker has leased it.")
JOB = _span("job", "A worker's work on a job it leased.")
PLAN_READ = _span("plan.read", "A source is sniffed, copied if it has no index, its index read.")
PLAN_LOOK = _span("plan.look", "The first pictures and sounds of a source are decoded.")
PLAN_MAKE = _span("plan.make", "The plan is made of what was seen, and its indexes are stored.")
PLAN_START = _span("plan.start", "What playback starts with is made and stored.")
PLAYABLE = _span("video.playable", "From the last byte of an upload until it could be played.")
EVENT = _span("event", "A consumer handles a fact.")
OPENED = _span("stream.opened", "A process reads a plan for the first manifest it gives of it.")
DEMANDED = _span("segment.demanded", "Somebody waits for a segment that is not there.")
SERVED = _span("segment.served", "A worker takes care of what somebody waits for.")
MADE = _span("pieces.made", "One index of one or more tracks is encoded, copied or drawn.")
