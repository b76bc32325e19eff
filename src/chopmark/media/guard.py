"""What a file may be and may cost, and the cage in which it is decoded.

    sniff(head)       what a file is, by its first bytes alone: neither its name nor a declared type is asked
    Limits            bytes, seconds, memory
    shut_in(limits)   from here on this process reads what it has open and answers; it can open, start, reach nothing

What stands first decides: a file that is two things at once is what it begins with, and its decoder is told so.
The cage: resource limits (CPU, memory, no file written, no descriptor more), and on Linux a filter on system calls
(seccomp(2)) that refuses every way to open a file, start a program, signal another process or use a network.
"""

from __future__ import annotations

import ctypes
import os
import platform
import re
import resource
import struct
import sys
from dataclasses import dataclass, replace
from typing import Literal

from chopmark.base.errors import Invalid

Kind = Literal["picture", "audio", "video", "text"]
KINDS: tuple[Kind, ...] = ("picture", "audio", "video", "text")
HEAD = 4096
"""Bytes that `sniff` wants to see."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one file may cost.

    Attributes:
        size: of the file, bytes.
        cpu: seconds of one processor.
        wall: seconds until the process is killed.
        memory: bytes beyond what the process has when it begins.
        duration: seconds of sound or film.
        answer: bytes of what is made of it.
    """

    size: int = 100_000_000
    cpu: int = 20
    wall: float = 40.0
    memory: int = 1_500_000_000
    duration: int = 6 * 3600
    answer: int = 64_000_000

    def patient(self) -> Limits:
        """For the worker, where nobody waits: a film of some hours fits."""
        return replace(self, size=5_000_000_000, cpu=3600, wall=5400.0, memory=3_000_000_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sniffed:
    """What a file is.

    Attributes:
        kind: a container that may hold both (`video`) is `audio` once no picture was found in it.
        media_type: IANA's name.
        form: the container's name for the decoder (Pillow's, or libavformat's); empty for text.
    """

    kind: Kind
    media_type: str
    form: str = ""


_STARTS: tuple[tuple[int, bytes, Kind, str, str], ...] = (
    (0, b"\xff\xd8\xff", "picture", "image/jpeg", "JPEG"),
    (0, b"\x89PNG\r\n\x1a\n", "picture", "image/png", "PNG"),
    (0, b"GIF87a", "picture", "image/gif", "GIF"),
    (0, b"GIF89a", "picture", "image/gif", "GIF"),
    (8, b"WEBP", "picture", "image/webp", "WEBP"),
    (0, b"II*\x00", "picture", "image/tiff", "TIFF"),
    (0, b"MM\x00*", "picture", "image/tiff", "TIFF"),
    (4, b"ftypavif", "picture", "image/avif", "AVIF"),
    (4, b"ftypavis", "picture", "image/avif", "AVIF"),
    (8, b"WAVE", "audio", "audio/wav", "wav"),
    (8, b"AVI ", "video", "video/x-msvideo", "avi"),
    (0, b"fLaC", "audio", "audio/flac", "flac"),
    (0, b"OggS", "video", "application/ogg", "ogg"),
    (0, b"ID3", "audio", "audio/mpeg", "mp3"),
    (8, b"AIFF", "audio", "audio/aiff", "aiff"),
    (8, b"AIFC", "audio", "audio/aiff", "aiff"),
    (4, b"ftypM4A ", "audio", "audio/mp4", "mov"),
    (4, b"ftypM4B ", "audio", "audio/mp4", "mov"),
    (4, b"ftyp", "video", "video/mp4", "mov"),
    (4, b"moov", "video", "video/quicktime", "mov"),
    (0, b"\x1a\x45\xdf\xa3", "video", "video/x-matroska", "matroska"),
    (0, b"\x00\x00\x01\xba", "video", "video/mpeg", "mpeg"),
    (0, b"FLV\x01", "video", "video/x-flv", "flv"),
    (0, b"BM", "picture", "image/bmp", "BMP"),
)
_REFUSED: tuple[tuple[int, bytes, str], ...] = (
    *((4, b"ftyp" + brand, "HEIC") for brand in (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")),
    (0, b"%PDF-", "PDF"),
    (0, b"%!PS", "PostScript"),
    (0, b"{\\rtf", "RTF"),
    (0, b"8BPS", "PSD"),
    (0, b"\xff\x0a", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cJXL ", "JPEG XL"),
    (0, b"\x00\x00\x00\x0cjP  ", "JPEG 2000"),
)
"""What people take for pictures or texts and cannot be read here: better said than guessed at."""
_RIFF = frozenset({b"WEBP", b"WAVE", b"AVI "})
_FORM = frozenset({b"AIFF", b"AIFC"})
_TS = 188  # bytes of a packet of an MPEG transport stream


def sniff(head: bytes) -> Sniffed:
    """What begins so; `head` is at least the first `HEAD` bytes, or the whole of a shorter file.

    Raises:
        Invalid: `media.empty`, `media.format_unknown`, `media.format_refused` with the name of what it is.
    """
    if not head:
        raise Invalid("media.empty")
    _must_not_be_refused(head)
    for at, start, kind, media_type, form in _STARTS:
        if not head.startswith(start, at):
            continue
        if (start in _RIFF and not head.startswith(b"RIFF")) or (start in _FORM and not head.startswith(b"FORM")):
            continue
        return Sniffed(kind=kind, media_type=media_type, form=form)
    if head[0] == 0x47 and head[_TS : _TS + 1] == b"\x47" and head[2 * _TS : 2 * _TS + 1] == b"\x47":
        return Sniffed(kind="video", media_type="video/mp2t", form="mpegts")
    if len(head) > 1 and head[0] == 0xFF and head[1] & 0xE0 == 0xE0 and not head.startswith((b"\xff\xfe", b"\xff\xff")):
        layer = head[1] & 0x06
        return Sniffed(kind="audio", media_type="audio/mpeg" if layer else "audio/aac", form="mp3" if layer else "aac")
    if readable(head):
        return Sniffed(kind="text", media_type="text/plain")
    raise Invalid("media.format_unknown")


def _must_not_be_refused(head: bytes) -> None:
    for at, start, name in _REFUSED:
        if head.startswith(start, at):
            raise Invalid("media.format_refused", format=name)
    if _svg(head):
        raise Invalid("media.format_refused", format="SVG")


def _svg(head: bytes) -> bool:
    """Whether an XML document of which this is the beginning has `svg` as its root."""
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    while text.startswith((b"<?", b"<!")):
        end = b"?>" if text.startswith(b"<?") else b"-->" if text.startswith(b"<!--") else b">"
        _, found, text = text.partition(end)
        if not found:
            return False
        text = text.lstrip(b"]> \t\r\n")
    return re.match(rb"<(?:\w+:)?svg[\s>/]", text) is not None


def readable(data: bytes) -> bool:
    """Whether these bytes, perhaps cut off within a character, are plain text in UTF-8, UTF-16 with its mark, or GB."""
    try:
        found = text_of(data, whole=False)
    except Invalid:
        return False
    return bool(found.strip())


def text_of(data: bytes, *, whole: bool = True) -> str:
    """The text in a file.

    Args:
        whole: False when the last character may be cut off.

    Raises:
        Invalid: `media.format_unknown` when it is no plain text.
    """
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        codings: tuple[str, ...] = ("utf-16",)
        data = data if whole else data[: len(data) & ~1]
    else:
        codings = ("utf-8-sig", "gb18030")
    for coding in codings:
        for cut in range(1 if whole else 4):
            try:
                text = data[: len(data) - cut].decode(coding)
            except UnicodeDecodeError:
                continue
            if not any(each < " " and each not in "\t\n\r\f" for each in text):
                return text
    raise Invalid("media.format_unknown")


# ---- the cage --------------------------------------------------------------------------------------------------------

MOST_OPEN = 64
"""Descriptors that are looked at; the process that decodes has about ten."""
_PR_SET_PDEATHSIG, _PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 1, 22, 38
_FILTER_MODE = 2
_LOAD, _EQUAL, _AT_LEAST, _AND, _RETURN = 0x20, 0x15, 0x35, 0x54, 0x06  # classic BPF
_ALLOW, _KILL, _ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
_EPERM, _ENOSYS = 1, 38
_CLONE_THREAD = 0x00010000
_X32 = 0x40000000
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16  # offsets in seccomp_data


@dataclass(frozen=True, slots=True, kw_only=True)
class _Calls:
    """The numbers of system calls on one architecture; what is refused, and `clone`, allowed for threads alone."""

    audit: int
    refused: tuple[int, ...]
    clone: int


# open, creat, rename, link, unlink, chmod, ...; socket and all that follows; execve; kill, ptrace; mount, setns, bpf;
# since 424 the numbers are the same everywhere: pidfd_send_signal, io_uring_setup, pidfd_open, openat2, pidfd_getfd
_SAME = (424, 425, 426, 427, 434, 437, 438)
_CALLS = {
    "x86_64": _Calls(
        audit=0xC000003E,
        refused=(
            *(2, 41, 42, 43, 44, 46, 49, 50, 53, 57, 58, 59, 62, 76, 82, 83, 84, 85, 86, 87, 88, 90, 92, 94, 101, 133),
            *(155, 161, 165, 166, 175, 200, 234, 246, 248, 249, 250, 257, 258, 259, 260, 263, 264, 265, 266, 268, 272),
            *(288, 298, 304, 307, 308, 310, 311, 312, 313, 316, 317, 319, 321, 322, 323, *_SAME),
        ),
        clone=56,
    ),
    "aarch64": _Calls(
        audit=0xC00000B7,
        refused=(
            *(33, 34, 35, 36, 37, 38, 39, 40, 41, 45, 51, 53, 54, 56, 97, 104, 105, 106, 117, 129, 130, 131, 198, 199),
            *(200, 201, 202, 203, 206, 211, 217, 218, 219, 221, 241, 242, 265, 268, 269, 270, 271, 272, 273, 276, 277),
            *(279, 280, 281, 282, *_SAME),
        ),
        clone=220,
    ),
}
_CLONE3 = 435


def shut_in(limits: Limits) -> None:
    """Close the cage around this process, for good.

    Raises:
        OSError: the kernel would not; then nothing may be decoded here.
    """
    used = os.sysconf("SC_PAGE_SIZE") * _pages()
    top = 1 + max(each for each in range(MOST_OPEN) if _is_open(each))
    for name, value in (
        (resource.RLIMIT_CPU, limits.cpu),
        (resource.RLIMIT_AS, used + limits.memory),
        (resource.RLIMIT_FSIZE, 0),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NOFILE, top),
    ):
        over = 1 if name == resource.RLIMIT_CPU else 0  # told at the first, killed at the second
        resource.setrlimit(name, (value, value + over))
    if sys.platform == "linux" and platform.machine() in _CALLS:
        _filter(_CALLS[platform.machine()])


def _is_open(descriptor: int) -> bool:
    try:
        os.fstat(descriptor)
    except OSError:
        return False
    return True


def _pages() -> int:
    if sys.platform != "linux":
        return 0
    with open("/proc/self/statm", encoding="ascii") as file:  # noqa: PTH123 (nothing is imported any more at this point)
        return int(file.read().split()[0])


def _filter(calls: _Calls) -> None:
    lib = ctypes.CDLL(None, use_errno=True)
    program = _program(calls)
    code = ctypes.create_string_buffer(program)
    said = struct.pack("HL", len(program) // 8, ctypes.addressof(code))
    for arguments in (
        (_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (_PR_SET_SECCOMP, _FILTER_MODE, ctypes.c_char_p(said), 0, 0),
    ):
        if lib.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl")


def _program(calls: _Calls) -> bytes:
    """Classic BPF: each instruction is an operation, two jumps, a value."""

    def step(operation: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("HBBI", operation, yes, no, value)

    refuse = [step(_EQUAL, number, 0, 1) + step(_RETURN, _ERRNO | _EPERM) for number in sorted(calls.refused)]
    return b"".join(
        [
            step(_LOAD, _ARCHITECTURE),
            step(_EQUAL, calls.audit, 1, 0),
            step(_RETURN, _KILL),
            step(_LOAD, _NUMBER),
            step(_AT_LEAST, _X32, 0, 1),
            step(_RETURN, _KILL),
            *refuse,
            step(_EQUAL, _CLONE3, 0, 1),
            step(_RETURN, _ERRNO | _ENOSYS),  # the C library then uses clone, whose flags can be looked at
            step(_EQUAL, calls.clone, 0, 4),
            step(_LOAD, _FIRST_ARGUMENT),
            step(_AND, _CLONE_THREAD),
            step(_EQUAL, _CLONE_THREAD, 1, 0),
            step(_RETURN, _ERRNO | _EPERM),
            step(_RETURN, _ALLOW),
        ]
    )


def die_with_parent() -> None:
    """Be killed when the process that started this one ends (Linux; elsewhere nothing)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, 9, 0, 0, 0)
