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
    "Segments, inits and pictures made by this process, by kind, by how (copy, encode) and by who "
    "waited (urgent, warm).",
    ["kind", "how", "for_whom"],
)
PIECE_SECONDS = Histogram(
    "headwater_piece_seconds",
    "Wall time of making one index of one or more tracks, waiting for a turn not included.",
    ["how", "for_whom"],
    buckets=(0.03, 0.1, 0.3, 1, 3, 10, 30, 100),
)
DEMANDS_WAITING = Gauge("headwater_demands_waiting", "Missing segments that somebody waits for.")
DEMAND_SECONDS = Histogram(
    "headwater_demand_seconds",
    "How long a missing segment was waited for, by outcome (made, late, failed).",
    ["outcome"],
    buckets=(0.03, 0.1, 0.3, 1, 2, 4, 8),
)
JOBS = Counter(
    "headwater_jobs_total",
    "Jobs this process worked on, by kind and outcome (done, refused, waits, failed, broken-off).",
    ["kind", "outcome"],
)
JOB_SECONDS = Histogram(
    "headwater_job_seconds",
    "Wall time of the work on a leased job; of a warm-up that is one turn.",
    ["kind"],
    buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 300),
)
JOB_WAIT_SECONDS = Histogram(
    "headwater_job_wait_seconds",
    "From when a job might begin until this process leased it.",
    ["kind"],
    buckets=(0.1, 0.3, 1, 3, 10, 30, 100, 300, 1000),
)
UPLOADED_BYTES = Counter(
    "headwater_uploaded_bytes_total",
    "Bytes that became part of an upload, by way (stream: in order through us; parts: put apart).",
    ["way"],
)
ENGINE_SECONDS = Histogram(
    "headwater_engine_seconds",
    "Wall time of one call of an engine as this process sees it, by engine and call.",
    ["engine", "call"],
    buckets=(0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 100),
)
ENGINE_FAILURES = Counter(
    "headwater_engine_failures_total",
    "Calls of an engine that failed, by engine, call and the error's code.",
    ["engine", "call", "code"],
)
CACHE_ANSWERS = Counter(
    "headwater_cache_answers_total",
    "Answers of the cache, by operation: hit, miss (made for this one), stale (made anew after).",
    ["operation", "outcome"],
)
REPLICA_LAG = Gauge(
    "headwater_replica_lag_seconds",
    "How far a replica was behind when this process last looked; infinite while it is left out.",
    ["replica"],
)
EVENTS_HANDLED = Counter(
    "headwater_events_handled_total",
    "Facts this process handled, by consumer and outcome (ok, failed).",
    ["consumer", "outcome"],
)
EVENT_LAG_SECONDS = Histogram(
    "headwater_event_lag_seconds",
    "How old a fact was when a consumer of this process took it.",
    ["consumer"],
    buckets=(0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 1000),
)
SPANS_SENT = Counter(
    "headwater_spans_total",
    "Spans of traces that left for the collector, by outcome (sent, lost).",
    ["outcome"],
)
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
Timing = Histogram


def exposition() -> bytes:
    """Return every metric in the text format a Prometheus server reads."""
    return generate_latest()
