"""Messages to the model for a single task. This module does no I/O."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from pathlib import PurePath

from contracts.core.event import Json
from gateway.http.errors import Refusal
from gateway.http.forms import Upload

IMAGES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "gif": "image/gif",
}
"""Media types of images that models accept, by file name extension."""
_IMAGE_TYPES = {**{media_type: media_type for media_type in IMAGES.values()}, "image/jpg": "image/jpeg"}


def task_messages(instructions: str, prompt: str, files: Sequence[Upload]) -> list[dict[str, Json]]:
    """Return the messages for a task. Text files become part of the prompt; images are attached.

    Raises:
        Refusal: a file is neither text nor an image.
    """
    images = [(file, media_type) for file in files if (media_type := image_type(file))]
    texts = [file for file in files if not image_type(file)]
    whole = "".join([prompt, *map(_quoted, texts)])
    return [
        {"role": "system", "content": f"Task: {instructions}"},
        {"role": "user", "content": [_part(whole), *_pictures(images)] if images else whole},
    ]


def image_type(file: Upload) -> str | None:
    """Return the media type of an image, from the client or from the file name; None for other files."""
    by_name = IMAGES.get(PurePath(file.filename).suffix[1:].lower())
    return _IMAGE_TYPES.get(file.media_type) or (by_name if not file.media_type.startswith("text/") else None)


def _quoted(file: Upload) -> str:
    return f"\n\n--- File: {file.filename} ---\n{_text(file)}"


def _text(file: Upload) -> str:
    try:
        text = file.content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\x00"
    if "\x00" in text:
        kinds = ", ".join(IMAGES)
        raise Refusal(415, f"File {file.filename!r} is neither UTF-8 text nor an image ({kinds}); convert it")
    return text


def _part(text: str) -> dict[str, Json]:
    return {"type": "text", "text": text}


def _pictures(images: Iterable[tuple[Upload, str]]) -> list[dict[str, Json]]:
    return [
        {
            "type": "image_url",
            "image_url": {"url": f"data:{media_type};base64,{b64encode(file.content).decode()}"},
        }
        for file, media_type in images
    ]
