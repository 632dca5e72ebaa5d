"""Stand between the server and a codec: raise the sandbox, then become the program.

Run as ``python -I -S launch.py ORDERS PROGRAM ARGUMENT…`` with nothing but the standard library.
ORDERS is lines of name=value (see process.py and probe_sandbox.py): json and typing would double
the time this takes. Each layer either works or says why not; one that ORDERS requires and that does
not work ends in status 97 with one line.

There is no pid namespace: it would begin at a child of ours, and we become the program ourselves.
"""

import ctypes
import errno
import fcntl
import os
import resource
import sys

FIRST_OUTPUT = 3
NICE = 10
NOBODY = 65534
OPEN_FILES = 64  # below the program's own descriptor, which nobody can therefore make again
NOT_LAUNCHED = 97

# include/uapi/linux: prctl.h, sched.h, landlock.h
SET_DEATH_SIGNAL, SET_SECCOMP, SET_NO_NEW_PRIVILEGES = 1, 22, 38
SECCOMP_MODE_FILTER = 2
NEW_MOUNTS, NEW_UTS, NEW_IPC, NEW_USER, NEW_NETWORK = (
    0x0002_0000,
    0x0400_0000,
    0x0800_0000,
    0x1000_0000,
    0x4000_0000,
)
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
EXECUTE, READ_FILE = 1, 4
FILE_RIGHTS = {1: 13, 2: 14, 3: 15, 4: 15, 5: 16}  # how many each Landlock version knows
AT_EMPTY_PATH = 0x1000
EXECVEAT = {"x86_64": 322, "aarch64": 281}

Orders = dict[str, list[str]]

LIBC = ctypes.CDLL(None, use_errno=True)


def main() -> None:
    orders = read_orders(sys.argv[1])
    program = sys.argv[2:]
    place_outputs([int(output) for output in orders.get("output", [])])
    os.nice(NICE)
    if "background" in orders:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    descriptor = open_program(program[0], int(orders["descriptor"][0]))
    failures = raise_layers(orders)
    missing = [layer for layer in orders.get("required", []) if layer in failures]
    if missing:
        refuse(f"{missing[0]}: {failures[missing[0]]}")
    if "probe" in orders:
        for layer, reason in failures.items():
            sys.stdout.write(f"failed={layer}: {reason}\n")
        for escape in escapes():
            sys.stdout.write(f"escape={escape}\n")
        return
    become(descriptor, program)


def read_orders(text: str) -> Orders:
    orders: Orders = {}
    for line in text.splitlines():
        name, _, value = line.partition("=")
        orders.setdefault(name, []).append(value)
    return orders


def refuse(reason: str) -> None:
    sys.stderr.write(reason + "\n")
    sys.stderr.flush()
    os._exit(NOT_LAUNCHED)


def place_outputs(outputs: "list[int]") -> None:
    """Give the output pipes the descriptors from FIRST_OUTPUT on, in order."""
    aside = [fcntl.fcntl(output, fcntl.F_DUPFD, 64 + FIRST_OUTPUT) for output in outputs]
    for output in outputs:
        os.close(output)
    for number, output in enumerate(aside):
        os.dup2(output, FIRST_OUTPUT + number, inheritable=True)
        os.close(output)


def open_program(path: str, descriptor: int) -> int:
    """Open the program where its descriptor closes as it starts, whatever user it then is."""
    opened = os.open(path, os.O_PATH | os.O_CLOEXEC)
    os.dup2(opened, descriptor, inheritable=False)
    os.close(opened)
    return descriptor


def raise_layers(orders: Orders) -> "dict[str, str]":
    """Raise every layer, each in the order in which it still may; return why some failed."""
    failures = {}
    for name, layer in (
        ("limits", limit),
        ("namespaces", leave_namespaces),
        ("nobody", become_nobody),
        ("no new privileges", keep_privileges),
        ("landlock", restrict_files),
        ("seccomp", filter_calls),
    ):
        try:
            layer(orders)
        except (OSError, ValueError) as error:
            failures[name] = getattr(error, "strerror", None) or str(error)
    return failures


def limit(orders: Orders) -> None:
    """Processor time ends hard: ffmpeg would end well on SIGXCPU, and half a segment look whole."""
    cpu, memory = int(orders["cpu_s"][0]), int(orders["memory_bytes"][0])
    for what, wanted in (
        (resource.RLIMIT_CPU, cpu),
        (resource.RLIMIT_AS, memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, OPEN_FILES),
        (resource.RLIMIT_MEMLOCK, 0),
    ):
        _, allowed = resource.getrlimit(what)
        most = wanted if allowed == resource.RLIM_INFINITY else min(wanted, allowed)
        resource.setrlimit(what, (most, most))


def leave_namespaces(orders: Orders) -> None:
    """Enter an empty network of our own, and IPC, mounts and names besides."""
    del orders
    wanted = NEW_NETWORK | NEW_IPC | NEW_UTS | NEW_MOUNTS
    call(LIBC.unshare, wanted if os.geteuid() == 0 else wanted | NEW_USER)


def become_nobody(orders: Orders) -> None:
    """Give up root; a server that is not root keeps its user."""
    del orders
    if os.geteuid() != 0:
        return
    os.setgroups([])
    os.setresgid(NOBODY, NOBODY, NOBODY)
    os.setresuid(NOBODY, NOBODY, NOBODY)


def keep_privileges(orders: Orders) -> None:
    """Nothing executed from here on gains rights, and nothing outlives the server."""
    call(LIBC.prctl, SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
    call(LIBC.prctl, SET_DEATH_SIGNAL, 9, 0, 0, 0)  # forgotten at a change of user: after it
    if os.getppid() != int(orders["parent"][0]):
        os._exit(NOT_LAUNCHED)


def restrict_files(orders: Orders) -> None:
    """Landlock: no file but the program and what its loader needs; no TCP; no one's signals."""
    version = call(LIBC.syscall, CREATE_RULESET, None, 0, 1)
    handled = (1 << FILE_RIGHTS.get(version, max(FILE_RIGHTS.values()))) - 1
    network, scopes = (3 if version >= 4 else 0), (3 if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    attributes = (ctypes.c_uint64 * 3)(handled, network, scopes)
    ruleset = call(LIBC.syscall, CREATE_RULESET, attributes, size, 0)
    for path in orders["file"]:
        allow_beneath(ruleset, path)
    call(LIBC.syscall, RESTRICT_SELF, ruleset, 0)
    os.close(ruleset)


class PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("rights", ctypes.c_uint64), ("parent", ctypes.c_int32))


def allow_beneath(ruleset: int, path: str) -> None:
    parent = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = PathBeneath(EXECUTE | READ_FILE, parent)
    call(LIBC.syscall, ADD_RULE, ruleset, 1, ctypes.byref(rule), 0)
    os.close(parent)


class Filter(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def filter_calls(orders: Orders) -> None:
    program = bytes.fromhex(orders["seccomp"][0])
    if not program:
        raise ValueError(f"no filter is written for {os.uname().machine}")
    call(
        LIBC.prctl,
        SET_SECCOMP,
        SECCOMP_MODE_FILTER,
        ctypes.byref(Filter(len(program) // 8, program)),
        0,
        0,
    )


def call(function: object, *arguments: object) -> int:
    """Call *function* of the C library and raise OSError if it fails."""
    wide = [ctypes.c_long(a) if isinstance(a, int) else a for a in arguments]
    result: int = function(*wide)  # type: ignore[operator]
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def become(descriptor: int, program: "list[str]") -> None:
    arguments = (ctypes.c_char_p * (len(program) + 1))(*map(os.fsencode, program), None)
    nothing = (ctypes.c_char_p * 1)(None)
    try:
        call(
            LIBC.syscall,
            EXECVEAT[os.uname().machine],
            descriptor,
            ctypes.c_char_p(b""),
            arguments,
            nothing,
            AT_EMPTY_PATH,
        )
    except (OSError, KeyError) as error:
        refuse(f"the program cannot be executed: {error}")


def escapes() -> "list[str]":
    """Try what a hostile codec would; return what was not refused."""
    found = []
    for name, attempt in (
        ("files", read_a_file),
        ("files", list_a_folder),
        ("network", connect),
        ("processes", start_a_process),
        ("programs", start_a_program),
    ):
        try:
            attempt()
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.EACCES, errno.ENETUNREACH, errno.ENOSYS):
                found.append(f"{name}: {error.strerror}")
        else:
            found.append(name)
    return found


def read_a_file() -> None:
    os.close(os.open("/etc/passwd", os.O_RDONLY))


def list_a_folder() -> None:
    os.listdir("/")  # noqa: PTH208


def connect() -> None:
    """Connect to port 9 of this host; being refused by the host means having reached it."""
    descriptor = call(LIBC.socket, 2, 1, 0)  # AF_INET, SOCK_STREAM
    address = (2).to_bytes(2, sys.byteorder) + bytes([0, 9, 127, 0, 0, 1]) + bytes(8)
    call(LIBC.connect, descriptor, ctypes.c_char_p(address), len(address))


def start_a_process() -> None:
    if os.fork() == 0:
        os._exit(0)


def start_a_program() -> None:
    os.execv("/proc/self/exe", ["true"])  # noqa: S606


if __name__ == "__main__":
    try:
        main()
    except OSError as reason:
        refuse(str(reason))
