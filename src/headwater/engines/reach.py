"""How far an engine's truth reaches: one process, one host, or every host of the fleet."""

from enum import IntEnum


class Reach(IntEnum):
    PROCESS = 1
    HOST = 2
    FLEET = 3
