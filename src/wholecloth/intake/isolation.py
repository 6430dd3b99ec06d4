"""What the decode worker gives up before it touches hostile bytes.

Runs in the child only.  Each step is tried and the ones reached are reported, because what a
machine allows differs: the record says which held.  Sources: setrlimit(2), prctl(2), seccomp(2),
and the classic-BPF layout of ``linux/seccomp.h`` and ``linux/filter.h``.
"""

from __future__ import annotations

import ctypes
import platform
import struct
import sys

from wholecloth.intake.limits import Limits

_PR_SET_NO_NEW_PRIVS, _PR_SET_SECCOMP, _SECCOMP_MODE_FILTER = 38, 22, 2
_ALLOW, _EPERM = 0x7FFF0000, 0x00050000 | 1
_ARCH = {"x86_64": 0xC000003E, "aarch64": 0xC00000B7}
# socket, connect, execve, execveat, ptrace, bind, sendto: no connection, no other program.
_DENIED = {
    "x86_64": (41, 42, 59, 322, 101, 49, 44),
    "aarch64": (198, 203, 221, 281, 117, 200, 206),
}
_X32_BIT = 0x40000000


def confine(limits: Limits) -> list[str]:
    """Give up memory, files, programs and the network; return what was reached, in words."""
    # No PR_SET_PDEATHSIG: it fires when the *thread* that started us ends.  A closed input ends
    # this process, and a decode that outlives its parent meets the CPU limit.
    reached = ["separate process"]
    reached += _resource_limits(limits)
    if sys.platform == "linux":
        libc = ctypes.CDLL(None, use_errno=True)
        if _seccomp(libc):
            reached.append("no sockets, no new programs (seccomp)")
    if not any("seccomp" in r for r in reached):
        sys.addaudithook(_refuse_sockets)
        reached.append("sockets refused by Python only")
    return reached


def cpu_allowance(limits: Limits) -> None:
    """Let this process use ``cpu_seconds`` more; past that the kernel ends it."""
    try:
        import resource  # noqa: PLC0415 - POSIX only
    except ImportError:
        return
    used = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(used.ru_utime + used.ru_stime) + limits.cpu_seconds + 1
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


def _resource_limits(limits: Limits) -> list[str]:
    try:
        import resource  # noqa: PLC0415 - POSIX only
    except ImportError:
        return []
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))
    reached = ["no core dump, no file written"]
    try:
        resource.setrlimit(resource.RLIMIT_AS, (limits.memory_bytes, limits.memory_bytes))
        reached.append(f"memory {limits.memory_bytes // 2**20} MiB")
    except (ValueError, OSError):
        pass  # an outer limit is already lower, which serves as well
    return reached


def _refuse_sockets(event: str, _args: tuple[object, ...]) -> None:
    if event.startswith("socket.") or event in ("os.exec", "os.posix_spawn", "subprocess.Popen"):
        raise PermissionError(f"the decode worker may not do this: {event}")


def _seccomp(libc: ctypes.CDLL) -> bool:
    machine = platform.machine()
    if machine not in _ARCH or struct.calcsize("P") != 8:
        return False
    program = _filter(_ARCH[machine], _DENIED[machine])
    code = ctypes.create_string_buffer(program, len(program))

    class Fprog(ctypes.Structure):
        _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_void_p))

    fprog = Fprog(len(program) // 8, ctypes.addressof(code))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        return False
    return bool(libc.prctl(_PR_SET_SECCOMP, _SECCOMP_MODE_FILTER, ctypes.byref(fprog), 0, 0) == 0)


def _filter(arch: int, denied: tuple[int, ...]) -> bytes:
    """A BPF program: wrong architecture or a denied call number → EPERM, else allow."""
    ld, jeq, jge, ret = 0x20, 0x15, 0x35, 0x06

    def op(code: int, jt: int, jf: int, k: int) -> bytes:
        return struct.pack("=HBBI", code, jt, jf, k)

    n = len(denied)
    ops = [op(ld, 0, 0, 4), op(jeq, 0, n + 3, arch), op(ld, 0, 0, 0), op(jge, n + 1, 0, _X32_BIT)]
    for i, number in enumerate(denied):
        ops.append(op(jeq, n - i, 0, number))
    ops += [op(ret, 0, 0, _ALLOW), op(ret, 0, 0, _EPERM)]
    return b"".join(ops)
