"""Every metric's name, once. Labels have few values: operation names and error codes, never ids."""

from prometheus_client import CONTENT_TYPE_LATEST, Counter, Gauge, Histogram, generate_latest

OPERATIONS = Counter(
    "headwater_operations_total",
    "Operations run, by name and outcome (ok or the error's code).",
    ["operation", "outcome"],
)
OPERATION_SECONDS = Histogram(
    "headwater_operation_seconds",
    "Wall time of operations, streaming of bodies not included.",
    ["operation"],
    buckets=(0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10),
)
REQUESTS = Counter(
    "headwater_http_requests_total",
    "HTTP requests answered, by face and status class.",
    ["face", "status"],
)
REQUESTS_OPEN = Gauge("headwater_http_requests_open", "HTTP requests being answered now.")
LOGIN_REFUSED = Counter("headwater_logins_refused_total", "Logins refused, by why.", ["why"])
PIECES_MADE = Counter(
    "headwater_pieces_made_total",
    "Segments, inits and pictures made by this process, by kind and by who waited (urgent, warm).",
    ["kind", "for_whom"],
)
PIECE_SECONDS = Histogram(
    "headwater_piece_seconds",
    "Wall time of making one index of one or more tracks, waiting for a turn not included.",
    ["for_whom"],
    buckets=(0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
)
DEMANDS_WAITING = Gauge("headwater_demands_waiting", "Missing segments that somebody waits for.")
QUEUE_AGE = Gauge(
    "headwater_queue_age_seconds",
    "How long the first upload that no worker has taken waits to become playable.",
)
QUEUE_JOBS = Gauge("headwater_queue_jobs", "Jobs that wait for a worker, by kind.", ["kind"])
ENCODERS = Gauge("headwater_encoders", "Codec processes that all live workers run at once.")
ADMISSION = Gauge(
    "headwater_admission", "0: all is admitted, 1: warm-up waits, 2: new uploads come later."
)

EXPOSITION_TYPE = CONTENT_TYPE_LATEST
Counted = Counter  # for whoever keeps one at hand, bound to its labels


def exposition() -> bytes:
    """Return every metric in the text format a Prometheus server reads."""
    return generate_latest()
