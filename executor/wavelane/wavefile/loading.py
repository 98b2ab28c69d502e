"""Loading: from a path or a text to a checked wave file, or to everything that is wrong with it."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pydantic import ValidationError

from wavelane.wavefile.consistency import wave_problems
from wavelane.wavefile.document import Document
from wavelane.wavefile.file import WaveFile
from wavelane.wavefile.problems import WaveFileError, printable
from wavelane.wavefile.wording import in_plain_words
from wavelane_model.problems import Place, Problem

MOST_BYTES: Final = 64 * 1024 * 1024
"""A file larger than this is not read to its end."""


def load(path: str | Path) -> WaveFile:
    """The wave file at `path`.

    Raises:
        WaveFileError: It cannot be used; every problem is listed at once.
    """
    return parse(_decoded(Path(path)), path)


def parse(text: str, path: str | Path = "wave.yaml") -> WaveFile:
    """The wave file with this text, as if it were at `path`.

    Raises:
        WaveFileError: It cannot be used; every problem is listed at once.
    """
    path = Path(path)
    document = Document(path, text)
    found = None
    try:
        found = WaveFile.model_validate(document.top, context={"path": path.absolute()})
    except ValidationError as error:
        document.problems.extend(map(in_plain_words, error.errors(include_url=False)))
    document.problems.extend(wave_problems(document.top))
    if found is None or document.problems:
        raise WaveFileError(document.placed())
    return found


def _decoded(path: Path) -> str:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        if len(data) <= MOST_BYTES:
            return data.decode("utf-8-sig")
        code, text = "too-large", f"this file has more than {MOST_BYTES:,} bytes; give a wave file"
    except FileNotFoundError:
        code, text = "no-such-file", "there is no such file; check the path"
    except IsADirectoryError:
        code, text = "is-a-directory", "this is a directory; give the wave file in it"
    except PermissionError:
        code, text = "not-permitted", "this file may not be read; check its permissions"
    except UnicodeDecodeError as error:
        place = f"byte {error.start + 1} is 0x{error.object[error.start]:02x}"
        code, text = "not-utf-8", f"this is not a text in UTF-8 ({place}); save it as UTF-8"
    except (OSError, ValueError) as error:
        code = "unreadable"
        text = f"this file cannot be read: {getattr(error, 'strerror', None) or error}"
    raise WaveFileError([Problem(code, "", text, Place(file=printable(path)))])
