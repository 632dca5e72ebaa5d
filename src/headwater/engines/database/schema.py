"""The tables, once, for every database. Times are Unix seconds, documents msgpack or JSON bytes."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    text,
)

# A number that only grows: 64 bits everywhere, as SQLite's own are.
Number = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

accounts = Table(
    "accounts",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("email", String(254), nullable=False, unique=True),
    Column("name", String(80), nullable=False),
    Column("password_hash", Text, nullable=False),
    Column("role", String(16), nullable=False, index=True),
    Column("quota_bytes", BigInteger),  # null: the setting's default
    Column("used_bytes", BigInteger, nullable=False, server_default="0"),
    Column("created_at", Float, nullable=False),
)

sessions = Table(
    "sessions",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("account", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
)

api_keys = Table(
    "api_keys",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("account", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("name", String(80), nullable=False),
    Column("token_hash", String(64), nullable=False, unique=True),
    Column("created_at", Float, nullable=False),
    Column("last_used_at", Float),
)

setup_links = Table(  # the one-time set-up link of each server while there is no owner
    "setup_links",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("issued_by", String(120), nullable=False),
    Column("created_at", Float, nullable=False),
)

videos = Table(
    "videos",
    metadata,
    Column("id", String(20), primary_key=True),
    Column("owner", ForeignKey("accounts.id"), nullable=False),
    Column("title", String(200), nullable=False),
    Column("description", Text, nullable=False, server_default=""),
    Column("visibility", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("failure_code", String(40)),
    Column("failure_reason", Text),
    Column("damage", Text),
    Column("generation", String(40)),
    Column("stream", String(40)),
    Column("duration_s", Float),
    Column("width_px", Integer),
    Column("height_px", Integer),
    Column("source_bytes", BigInteger, nullable=False, server_default="0"),
    Column("stored_bytes", BigInteger, nullable=False, server_default="0"),
    Column("progress", Float, nullable=False, server_default="0"),
    Column("ready_in_s", Float),
    Column("speeds", Text, nullable=False, server_default="{}"),  # JSON {track: times real time}
    Column("created_at", Float, nullable=False),
    Column("playable_at", Float),
    Column("ready_at", Float),
    Column("deleted_at", Float),
    Column("version", Integer, nullable=False, server_default="1"),
    Index(None, "owner", "created_at", "id"),
    Index(None, "visibility", "created_at", "id"),
    Index(None, "deleted_at"),
)

uploads = Table(
    "uploads",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("owner", ForeignKey("accounts.id"), nullable=False, index=True),
    Column("video", ForeignKey("videos.id"), index=True),
    Column("length", BigInteger),
    Column("offset", BigInteger, nullable=False, server_default="0"),
    Column("metadata", Text, nullable=False, server_default="{}"),
    Column("partial", Boolean, nullable=False, server_default="0"),
    Column("concat", Text, nullable=False, server_default=""),
    Column("locked_by", String(40)),
    Column("locked_until", Float),
    Column("created_at", Float, nullable=False),
    Column("expires_at", Float, nullable=False, index=True),
    Column("completed_at", Float),
    Index(  # what uploads that are under way will still bring
        "ix_uploads_incomplete",
        "length",
        "offset",
        sqlite_where=text("completed_at IS NULL"),
        postgresql_where=text("completed_at IS NULL"),
    ),
)

upload_extents = Table(
    "upload_extents",
    metadata,
    Column("upload", ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True),
    Column("start", BigInteger, primary_key=True),
    Column("size", BigInteger, nullable=False),
    Column("key", String(200), nullable=False),
)

placed_parts = Table(  # what clients put into the store themselves and have not committed yet
    "placed_parts",
    metadata,
    Column("upload", ForeignKey("uploads.id", ondelete="CASCADE"), primary_key=True),
    Column("key", String(200), primary_key=True),
    Column("size", BigInteger, nullable=False),
)

sources = Table(  # what a video is made from: an ordered list of extents
    "sources",
    metadata,
    Column("video", ForeignKey("videos.id", ondelete="CASCADE"), primary_key=True),
    Column("filename", Text, nullable=False, server_default=""),
    Column("size", BigInteger, nullable=False),
    Column("extents", LargeBinary, nullable=False),  # msgpack list[Extent]
    Column("remuxed", LargeBinary),  # msgpack list[Extent] of the indexed copy, if one was needed
    Column("copy_refused", Boolean, nullable=False, server_default="0"),  # a copy of it has failed
)

generations = Table(
    "generations",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("video", ForeignKey("videos.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("encoder", String(120), nullable=False),  # the build that everything in it is made with
    Column("plan", LargeBinary, nullable=False),  # msgpack Plan
    Column(
        "index_sizes", LargeBinary, nullable=False
    ),  # msgpack {source track: bytes of its index}
    Column("created_at", Float, nullable=False),
    Column("retired_at", Float, index=True),
)

streams = Table(  # the names generations are served under; a change of visibility opens a new one
    "streams",
    metadata,
    Column("name", String(40), primary_key=True),
    Column("video", ForeignKey("videos.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("generation", ForeignKey("generations.id", ondelete="CASCADE"), nullable=False),
    Column("created_at", Float, nullable=False),
    Column("retired_at", Float, index=True),
)

tracks = Table(  # the bitmap of a track: which segments are in the store
    "tracks",
    metadata,
    Column("generation", ForeignKey("generations.id", ondelete="CASCADE"), primary_key=True),
    Column("track", String(40), primary_key=True),
    Column("segments", Integer, nullable=False),
    Column("present", LargeBinary, nullable=False),  # bit i (little-endian) = segment i is stored
    Column("stored_bytes", BigInteger, nullable=False, server_default="0"),
    Column("damaged", Integer, nullable=False, server_default="0"),
    Column("watched_at", Float, nullable=False, server_default="0", index=True),
)

leases = (
    Table(  # who makes (generation, track, index) right now; track "*" leases all rungs of an index
        "leases",
        metadata,
        Column("generation", String(40), primary_key=True),
        Column("track", String(40), primary_key=True),
        Column("index", Integer, primary_key=True),
        Column("holder", String(60), nullable=False, index=True),
        Column("until", Float, nullable=False, index=True),
        Column("yields", Boolean, nullable=False, server_default="0"),  # to one who hurries
    )
)

jobs = Table(
    "jobs",
    metadata,
    Column("id", String(40), primary_key=True),
    Column("kind", String(16), nullable=False),
    Column("video", String(20), nullable=False, index=True),
    Column("owner", String(40), nullable=False),
    Column("state", String(16), nullable=False),
    Column("priority", Integer, nullable=False, server_default="0"),  # smaller first
    Column("attempts", Integer, nullable=False, server_default="0"),  # that failed
    Column("losses", Integer, nullable=False, server_default="0"),  # leases that ran out
    Column("cursor", Integer, nullable=False, server_default="0"),  # warm-up: next segment index
    Column("run_at", Float, nullable=False),
    Column("served_at", Float, nullable=False, server_default="0"),  # fairness between owners
    Column("leased_by", String(60)),
    Column("leased_until", Float),
    Column("error", Text),
    Column("created_at", Float, nullable=False),
    Column("updated_at", Float, nullable=False),
    Index(None, "state", "owner", "priority", "run_at"),
    Index(None, "state", "leased_until"),
    Index(None, "state", "id"),
    Index(None, "state", "kind", "run_at"),  # how long the first of a kind waits
    Index(None, "owner", "served_at"),
    Index(  # one live job of a kind for each video
        "uq_jobs_live",
        "kind",
        "video",
        unique=True,
        sqlite_where=text("state IN ('queued', 'leased')"),
        postgresql_where=text("state IN ('queued', 'leased')"),
    ),
)

demands = Table(  # segments somebody waits for; urgent, ahead of every job
    "demands",
    metadata,
    Column("generation", String(40), primary_key=True),
    Column("track", String(40), primary_key=True),
    Column("index", Integer, primary_key=True),
    Column("video", String(20), nullable=False),
    Column("rank", Integer, nullable=False),  # 0 asked for, 1.. read ahead
    Column("asked_at", Float, nullable=False),  # first: who waits longest comes first
    Column("wanted_at", Float, nullable=False),  # last: what nobody wants any more goes
    Index(None, "rank", "asked_at"),
)

events = Table(  # the outbox and the embedded queue in one
    "events",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("topic", String(60), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False, index=True),
    Index(None, "topic", "id"),
    sqlite_autoincrement=True,  # an id is never given twice, even when all rows have been pruned
)

consumers = Table(  # how far each consumer has come, and which process works for it now
    "consumers",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("position", Number, nullable=False, server_default="0"),  # every event up to this id
    Column("leased_by", String(60)),
    Column("leased_until", Float),
    # Where a broker delivers: what its queue is for, and whether it gets what is published.
    Column("topics", Text, nullable=False, server_default=""),
    Column("bound", Boolean, nullable=False, server_default="0"),
)

inbox = Table(  # what a consumer has taken, written with what it did about it: nothing twice
    "inbox",
    metadata,
    Column("consumer", String(60), primary_key=True),
    Column("event", Number, primary_key=True),
    # A database that was restored, or lost its last commits, gives a number to another event.
    Column("recorded_at", Float, primary_key=True),
    Column("taken_at", Float, nullable=False, index=True),
)

deliveries = Table(  # one row per event and consumer that failed, until it succeeds
    "deliveries",
    metadata,
    Column("consumer", String(60), primary_key=True),
    Column("event", Number, primary_key=True),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("run_at", Float, nullable=False),
    Column("dead", Boolean, nullable=False, server_default="0"),
    Column("error", Text),
    Index(None, "consumer", "dead", "run_at"),
    Index(None, "dead", "event"),
    Index(None, "event"),
)

notices = Table(  # the notices adapter of one host with several processes; short-lived rows
    "notices",
    metadata,
    Column("id", Number, primary_key=True, autoincrement=True),
    Column("topic", String(120), nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("created_at", Float, nullable=False, index=True),
    sqlite_autoincrement=True,
)

idempotency = Table(
    "idempotency",
    metadata,
    Column("actor", String(80), primary_key=True),
    Column("key", String(255), primary_key=True),
    Column("operation", String(60), nullable=False),
    Column("request_hash", String(64), nullable=False),
    Column("response", LargeBinary),  # null while in flight
    Column("created_at", Float, nullable=False, index=True),
)

processes = Table(  # those that live, as they told; *until* when each is believed
    "processes",
    metadata,
    Column("id", String(60), primary_key=True),
    Column("role", String(16), nullable=False),
    Column("host", String(64), nullable=False),
    Column("folder", Text, nullable=False),
    Column("version", String(40), nullable=False),
    Column("build", String(120), nullable=False),  # of its encoder, "" if it has none
    Column("encoders", Integer, nullable=False),
    Column("store", String(40), nullable=False),
    Column("alone", Boolean, nullable=False),
    Column("started_at", Float, nullable=False),
    Column("heard_at", Float, nullable=False),
    Column("until", Float, nullable=False),
    Index(None, "until", "build"),
)

preferences = Table(  # what the running system remembers for all processes (secrets for signing …)
    "preferences",
    metadata,
    Column("name", String(60), primary_key=True),
    Column("value", LargeBinary, nullable=False),
)

heartbeats = Table(  # one row: what a replica that has replayed it follows; nobody's data
    "heartbeats",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("timeline", Number, nullable=False),
    Column("written_at", Float, nullable=False),  # by the primary's clock
)

OF_THIS_PLACE = (heartbeats, processes)  # true here and nowhere else
CARRIED = tuple(
    table for table in metadata.sorted_tables if table not in OF_THIS_PLACE
)  # by a copy
