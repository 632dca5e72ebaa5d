"""What a codec process may ask of the kernel, as a seccomp filter (classic BPF, little-endian).

It refuses what no codec needs: sockets, other processes, new programs, mounts, keys, tracing,
modules, anything that names or writes a file. Threads, memory, pipes, and opening files
for reading (which Landlock narrows) stay. Refused calls fail with EPERM rather than kill: libraries
probe and go on.

One program may be started, by the descriptor *PROGRAM_DESCRIPTOR*: it is above the limit of open
files and closes when it is executed, so nobody can make it a second time.

Source: Linux Documentation/userspace-api/seccomp_filter.rst, include/uapi/linux/{filter,seccomp}.h.
"""

import struct

PROGRAM_DESCRIPTOR = 250

_EPERM, _ENOSYS = 1, 38
_ALLOW, _ERRNO, _KILL = 0x7FFF_0000, 0x0005_0000, 0x8000_0000
_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
_NUMBER, _ARCHITECTURE = 0, 4  # offsets in struct seccomp_data
_X32 = 0x4000_0000  # x86-64's other numbering
_CLONE_THREAD, _AT_EMPTY_PATH, _WRITING = 0x1_0000, 0x1000, 0x3

_ARCHITECTURES = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}

# name: number on x86-64, number on AArch64, None where it does not exist
_REFUSED: dict[str, tuple[int | None, int | None]] = {
    "socket": (41, 198),
    "socketpair": (53, 199),
    "connect": (42, 203),
    "bind": (49, 200),
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
    "sendto": (44, 206),
    "sendmsg": (46, 211),
    "sendmmsg": (307, 269),
    "recvmsg": (47, 212),
    "recvmmsg": (299, 243),
    "execve": (59, 221),
    "fork": (57, None),
    "vfork": (58, None),
    "kill": (62, 129),
    "tkill": (200, 130),
    "tgkill": (234, 131),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_open": (434, 434),
    "pidfd_getfd": (438, 438),
    "pidfd_send_signal": (424, 424),
    "setsid": (112, 157),
    "setpgid": (109, 154),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "kcmp": (312, 272),
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "io_setup": (206, 0),
    "memfd_create": (319, 279),
    "memfd_secret": (447, 447),
    "personality": (135, 92),
    "modify_ldt": (154, None),
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "move_mount": (429, 429),
    "open_tree": (428, 428),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    "fanotify_init": (300, 262),
    "inotify_init": (253, None),
    "inotify_init1": (294, 26),
    "keyctl": (250, 219),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "iopl": (172, None),
    "ioperm": (173, None),
    "shmget": (29, 194),
    "shmat": (30, 196),
    "semget": (64, 190),
    "msgget": (68, 186),
    "mq_open": (240, 180),
    "creat": (85, None),
    "truncate": (76, 45),
    "unlink": (87, None),
    "unlinkat": (263, 35),
    "rename": (82, None),
    "renameat": (264, 38),
    "renameat2": (316, 276),
    "link": (86, None),
    "linkat": (265, 37),
    "symlink": (88, None),
    "symlinkat": (266, 36),
    "mkdir": (83, None),
    "mkdirat": (258, 34),
    "rmdir": (84, None),
    "mknod": (133, None),
    "mknodat": (259, 33),
    "chmod": (90, None),
    "fchmodat": (268, 53),
    "chown": (92, None),
    "lchown": (94, None),
    "fchownat": (260, 54),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
}
# Arguments behind a pointer cannot be looked at; libraries fall back on the older call.
_UNKNOWN: dict[str, tuple[int | None, int | None]] = {"clone3": (435, 435), "openat2": (437, 437)}
_CLONE, _EXECVEAT, _PRLIMIT = (56, 220), (322, 281), (302, 261)
_OPEN, _OPENAT = (2, None), (257, 56)


def seccomp_program(machine: str) -> bytes | None:
    """Return the filter's instructions for *machine*, as uname names it; None for another."""
    if machine not in _ARCHITECTURES:
        return None
    column = list(_ARCHITECTURES).index(machine)
    code = [
        *_load(_ARCHITECTURE),
        *_unless(_EQUAL, _ARCHITECTURES[machine], _KILL),
        *_load(_NUMBER),
        *(_when(_AT_LEAST, _X32, _KILL) if machine == "x86_64" else []),
    ]
    code += _with_argument(_CLONE[column], 0, _unless(_ANY_BIT, _CLONE_THREAD, _refusal(_EPERM)))
    code += _with_argument(_PRLIMIT[column], 0, _unless(_EQUAL, 0, _refusal(_EPERM)))
    for call, flags in ((_OPEN, 1), (_OPENAT, 2)):
        writing = _when(_ANY_BIT, _WRITING, _refusal(_EPERM))
        code += _with_argument(call[column], flags, writing)
    by_descriptor = _unless(_EQUAL, PROGRAM_DESCRIPTOR, _refusal(_EPERM))
    empty_path = _unless(_EQUAL, _AT_EMPTY_PATH, _refusal(_EPERM))
    code += _with_argument(
        _EXECVEAT[column], 0, [*by_descriptor, *_load(_argument(4)), *empty_path]
    )
    for number in _numbers(_UNKNOWN, column):
        code += _when(_EQUAL, number, _refusal(_ENOSYS))
    for number in _numbers(_REFUSED, column):
        code += _when(_EQUAL, number, _refusal(_EPERM))
    code += [_instruction(_RETURN, _ALLOW)]
    return b"".join(code)


def _numbers(calls: dict[str, tuple[int | None, int | None]], column: int) -> list[int]:
    return [number for both in calls.values() if (number := both[column]) is not None]


def _with_argument(number: int | None, argument: int, checks: list[bytes]) -> list[bytes]:
    """Run *checks* on the low half of an argument of call *number*, then allow it."""
    if number is None:
        return []
    body = [*_load(_argument(argument)), *checks, _instruction(_RETURN, _ALLOW)]
    return [_instruction(_EQUAL, number, 0, len(body)), *body]


def _argument(place: int) -> int:
    return 16 + 8 * place


def _refusal(error: int) -> int:
    return _ERRNO | error


def _load(offset: int) -> list[bytes]:
    return [_instruction(_LOAD, offset)]


def _when(test: int, value: int, answer: int) -> list[bytes]:
    return [_instruction(test, value, 0, 1), _instruction(_RETURN, answer)]


def _unless(test: int, value: int, answer: int) -> list[bytes]:
    return [_instruction(test, value, 1, 0), _instruction(_RETURN, answer)]


def _instruction(code: int, value: int, when_true: int = 0, when_false: int = 0) -> bytes:
    """Pack one struct sock_filter."""
    return struct.pack("<HBBI", code, when_true, when_false, value)
