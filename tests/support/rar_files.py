"""Small .rar files, uncompressed, written by hand: no free tool writes any."""

from __future__ import annotations

import stat
import struct
import sys
import zlib
from pathlib import Path

from system_packages import lack_system_package
from vidclass.datasets import rar

MAGIC4, MAGIC5 = b"Rar!\x1a\x07\x00", b"Rar!\x1a\x07\x01\x00"


def block4(kind: int, flags: int, body: bytes, data: bytes = b"") -> bytes:
    rest = struct.pack("<BHH", kind, flags, 7 + len(body)) + body
    return struct.pack("<H", zlib.crc32(rest) & 0xFFFF) + rest + data


def file4(
    name: str | bytes,
    data: bytes,
    *,
    flags: int = 0,
    mode: int = stat.S_IFREG | 0o644,
    kind: int = 0x74,
    method: int = 0x30,
) -> bytes:
    """Return a block with a file; `kind` 0x7A is a service block, `method` 0x30 stores the data."""
    if isinstance(name, str):
        name = name.replace("/", "\\").encode()
    body = struct.pack(
        "<IIBIIBBHI", len(data), len(data), 3, zlib.crc32(data), 0, 29, method, len(name), mode
    )
    return block4(kind, 0x8000 | flags, body + name, data)


def folder4(name: str) -> bytes:
    return file4(name, b"", flags=0xE0, mode=stat.S_IFDIR | 0o755)


def rar4(*blocks: bytes, flags: int = 0, end: bool = True, next_volume: bool = False) -> bytes:
    parts = [MAGIC4, block4(0x73, flags, bytes(6)), *blocks]
    return b"".join([*parts, block4(0x7B, 0x4000 | next_volume, b"")] if end else parts)


def number5(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def block5(
    kind: int, body: bytes, data: bytes = b"", *, flags: int = 0, extra: bytes = b""
) -> bytes:
    sizes = (number5(len(extra)) if extra else b"") + (number5(len(data)) if data else b"")
    flags |= bool(extra) | bool(data) << 1
    header = number5(kind) + number5(flags) + sizes + body + extra
    sized = number5(len(header)) + header
    return struct.pack("<I", zlib.crc32(sized)) + sized + data


def file5(
    name: str | bytes,
    data: bytes,
    *,
    kind: int = 4,
    flags: int = 0,
    extra: bytes = b"",
    size: int = -1,
    block: int = 2,
) -> bytes:
    """Return a block; `kind` 1: folder, 4: file with a CRC, 0: file without; `block` 3: service."""
    crc = struct.pack("<I", zlib.crc32(data)) if kind & 4 else b""
    sizes = [number5(kind), number5(len(data) if size < 0 else size), number5(0o100644)]
    text = name.encode() if isinstance(name, str) else name
    body = b"".join([*sizes, crc, number5(0), number5(1), number5(len(text)), text])
    return block5(block, body, data, flags=flags, extra=extra)


def folder5(name: str) -> bytes:
    return file5(name, b"", kind=1)


def record5(kind: int, content: bytes) -> bytes:
    body = number5(kind) + content
    return number5(len(body)) + body


def rar5(*blocks: bytes, flags: int = 0) -> bytes:
    return b"".join([MAGIC5, block5(1, number5(flags)), *blocks, block5(5, number5(0))])


def rar_of(tree: dict[str, bytes], *, version: int = 4) -> bytes:
    """Return an archive of these files, and of the folders that hold them."""
    folders = {str(parent) for name in tree for parent in Path(name).parents if str(parent) != "."}
    make_file, make_folder, make = (
        (file4, folder4, rar4) if version == 4 else (file5, folder5, rar5)
    )
    files = [make_file(name, data) for name, data in tree.items()]
    return make(*files, *map(make_folder, sorted(folders, reverse=True)))


def skip_without_rar_tool() -> None:
    """Skip where nothing unpacks RAR, or fail: see `lack_system_package`."""
    if not rar.rar_tools():
        lack_system_package("no tool that unpacks RAR is installed: bsdtar, unar, 7z or unrar")


FAKE = """#!{python}
import sys, zlib
sys.stdout.buffer.write(zlib.decompress(bytes.fromhex({content!r})))
sys.stderr.write({complaint!r})
sys.exit({code})
"""


def put_fake_tool(
    folder: Path, name: str, content: bytes, *, complaint: str = "", code: int = 0
) -> None:
    """Write a program that prints `content`, whatever its arguments."""
    folder.mkdir(exist_ok=True)
    packed = zlib.compress(content).hex()
    text = FAKE.format(python=sys.executable, content=packed, complaint=complaint, code=code)
    (folder / name).write_text(text)
    (folder / name).chmod(0o755)
