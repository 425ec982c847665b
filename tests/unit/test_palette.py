"""The documentation's images use few colors, but rare colors are kept."""

from __future__ import annotations

import struct
import zlib

import pytest

import palette

BLACK, SHADE, WHITE, GREEN = (bytes.fromhex(code) for code in ("000000", "101010", "ffffff", "00c000"))


def chunks(image: bytes) -> dict[bytes, bytes]:
    """Return the chunks of a PNG by name, after verifying their checksums."""
    found, at = {}, 8
    while at < len(image):
        size, name = struct.unpack_from(">I4s", image, at)
        found[name], (check,) = image[at + 8 : at + 8 + size], struct.unpack_from(">I", image, at + 8 + size)
        assert check == zlib.crc32(name + found[name])
        at += 12 + size
    return found


def test_shades_become_one_color_and_a_rare_color_remains() -> None:
    image = palette.encoded(4, [*[BLACK] * 5, SHADE, WHITE, GREEN])
    assert image.startswith(b"\x89PNG\r\n\x1a\n")
    found = chunks(image)
    assert struct.unpack(">IIBB", found[b"IHDR"][:10]) == (4, 2, 8, 3)
    assert found[b"PLTE"] == BLACK + WHITE + GREEN
    assert zlib.decompress(found[b"IDAT"]) == bytes([0, 0, 0, 0, 0, 0, 0, 0, 1, 2])


def test_too_many_colors_are_refused() -> None:
    with pytest.raises(ValueError, match="range"):
        palette.encoded(7, [bytes([a * 32, b * 32, c * 32]) for a in range(8) for b in range(8) for c in range(7)])
