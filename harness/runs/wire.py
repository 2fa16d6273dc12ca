"""The wire format of protocol buffers, as far as records of runs use it: numbers and bytes by the number of their field.

https://protobuf.dev/programming-guides/encoding/
"""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _I64, _BYTES, _I32 = 0, 1, 2, 5


def fields(message: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(number, value) of the fields of a message, in order: whole numbers as such, everything else as its bytes.

    Raises:
        ValueError: it is no message.
    """
    place = 0
    while place < len(message):
        tag, place = _varint(message, place)
        number, kind = tag >> 3, tag & 7
        if kind == _VARINT:
            value, place = _varint(message, place)
            yield number, value
            continue
        if kind == _BYTES:
            size, place = _varint(message, place)
        elif kind in (_I64, _I32):
            size = 8 if kind == _I64 else 4
        else:
            raise ValueError(f"field {number} is of the unknown kind {kind}")
        if place + size > len(message):
            raise ValueError(f"field {number} is cut short")
        yield number, message[place : place + size]
        place += size


def _varint(message: bytes, place: int) -> tuple[int, int]:
    found, shift = 0, 0
    while place < len(message) and shift < 70:
        byte = message[place]
        found |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return found, place
    raise ValueError("a number is cut short")


def parts(message: bytes, number: int) -> list[bytes]:
    """The values of a field that holds bytes, text or messages."""
    return [value for field, value in fields(message) if field == number and isinstance(value, bytes)]


def text(message: bytes, number: int) -> str:
    """The last text of a field; empty if there is none."""
    found = parts(message, number)
    return found[-1].decode("utf-8") if found else ""


def whole(message: bytes, number: int) -> int:
    """The last whole number of a field; 0, which is not written, if there is none."""
    found = [value for field, value in fields(message) if field == number and isinstance(value, int)]
    return found[-1] if found else 0
