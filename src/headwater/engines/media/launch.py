"""Stand between the server and a codec: put up the sandbox, then become the program.

Run as ``python -I -S launch.py ORDERS PROGRAM ARGUMENT…`` with nothing but the standard library;
exit status 97 and one line say what could not be put up.
"""

import fcntl
import json
import os
import resource
import sys

FIRST_OUTPUT = 3
NICE = 10


def place_outputs(outputs: "list[int]") -> None:
    """Give the output pipes the descriptors from FIRST_OUTPUT on, in order."""
    aside = [fcntl.fcntl(output, fcntl.F_DUPFD, 64 + FIRST_OUTPUT) for output in outputs]
    for output in outputs:
        os.close(output)
    for number, output in enumerate(aside):
        os.dup2(output, FIRST_OUTPUT + number, inheritable=True)
        os.close(output)


def main() -> None:
    orders = json.loads(sys.argv[1])
    program = sys.argv[2:]
    place_outputs(orders["outputs"])
    os.nice(NICE)
    if orders["background"]:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    cpu = orders["cpu_s"]
    resource.setrlimit(resource.RLIMIT_CPU, (cpu, cpu + 2))
    resource.setrlimit(resource.RLIMIT_AS, (orders["memory_bytes"],) * 2)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.execve(program[0], program, {})  # noqa: S606


if __name__ == "__main__":
    main()
