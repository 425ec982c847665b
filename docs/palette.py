"""Reduce the screenshots of a browser to small PNG files with few colors."""

from __future__ import annotations

import base64
import struct
import zlib
from collections import Counter

from playwright.sync_api import Page

# Colors are similar if each of their components is in the same interval of this size. With smaller intervals, the
# file is larger but looks the same.
STEP = 32
# The browser decodes its own screenshot, and returns four bytes for each pixel.
_PIXELS = """async source => {
  const image = await createImageBitmap(await (await fetch(source)).blob());
  const canvas = new OffscreenCanvas(image.width, image.height).getContext("2d");
  canvas.drawImage(image, 0, 0);
  const found = new Blob([canvas.getImageData(0, 0, image.width, image.height).data]);
  const reader = new FileReader();
  await new Promise(done => { reader.onload = done; reader.readAsDataURL(found); });
  return [image.width, image.height, reader.result.split(",")[1]];
}"""


def smaller(page: Page, image: bytes) -> bytes:
    """Return the screenshot of an opaque page as a PNG with a palette. ``page`` can be any open page."""
    width, _, pixels = page.evaluate(_PIXELS, "data:image/png;base64," + base64.b64encode(image).decode())
    return encoded(width, [color[:3] for (color,) in struct.iter_unpack("4s", base64.b64decode(pixels))])


def encoded(width: int, pixels: list[bytes]) -> bytes:
    """Return a PNG whose rows have ``width`` pixels. Each of the ``pixels`` is a color of three bytes.

    Of several similar colors, such as the shades at the edge of a letter, the most frequent one replaces the others.
    At most 256 colors may remain.
    """
    similar: dict[bytes, list[bytes]] = {}
    for color, _ in Counter(pixels).most_common():
        similar.setdefault(bytes(value // STEP for value in color), []).append(color)
    index = {color: number for number, colors in enumerate(similar.values()) for color in colors}
    numbers = bytes(index[pixel] for pixel in pixels)
    # Each row begins with its filter, 0 for none.
    rows = b"".join(b"\0" + numbers[at : at + width] for at in range(0, len(numbers), width))
    header = struct.pack(">IIBBBBB", width, len(numbers) // width, 8, 3, 0, 0, 0)
    palette = b"".join(colors[0] for colors in similar.values())
    chunks = [(b"IHDR", header), (b"PLTE", palette), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(name, data) for name, data in chunks)


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
