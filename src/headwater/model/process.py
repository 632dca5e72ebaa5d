"""Processes of a deployment, as they tell each other that they live."""

import msgspec


class Process(msgspec.Struct, frozen=True, kw_only=True):
    """One that serves. *id* names it in the rows it holds; *folder* names its data folder.

    *build* is that of its encoder, "" if it has none, and it may run *encoders* codec processes.
    *store* names the blob store it found; *alone* says that it keeps notices to itself.
    """

    id: str
    role: str
    host: str
    folder: str
    version: str
    build: str
    encoders: int
    store: str
    alone: bool
    started_at: float


class Living(Process, frozen=True, kw_only=True):
    """One that was heard of at *heard_at* and is believed to live *until* it should be again."""

    heard_at: float
    until: float
