"""Downloading a raw file: pooch transfers it, checks it and puts it in its place.

Two parts are our own, because pooch has neither: a transfer that breaks off is resumed, and a web
page or a file of another size is refused with a message for people.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from pathlib import Path, PurePosixPath
from typing import BinaryIO, NamedTuple
from urllib.parse import unquote, urlsplit

import pooch
from filelock import FileLock
from requests import Response
from requests.exceptions import ChunkedEncodingError, ConnectionError, RequestException, Timeout
from tqdm import tqdm

from fairseq_seqgan.support.binarized_data import digest
from fairseq_seqgan.support.errors import InputError

from .text import looks_like_html

MAX_BYTES = 2**30
_PAUSES = (0.2, 1.0, 3.0)  # seconds before another try after a failure that brought nothing
_TIMEOUT = (10, 60)  # seconds to connect, and to wait for the next bytes
_CHUNK = 2**13  # bytes; when a transfer breaks off, less than this is lost


class Expected(NamedTuple):
    """What is known of a file before it is downloaded."""

    sha256: str | None = None
    size: int | None = None  # bytes


class _BrokenOffError(Exception):
    """The transfer failed in a way that another try may cure."""


def download(url: str, folder: Path, expected: Expected = Expected()) -> Path:  # noqa: B008
    """Return the file behind *url*, downloaded into *folder* unless it is there already.

    A transfer that breaks off is resumed where the server allows it, also by a later call, and
    otherwise begins anew. The file gets its name when it is complete and has been checked.

    Raises:
        InputError: the server refuses, sends a web page, or sends something of another size or
            checksum than *expected*; the transfer breaks off again and again; or *folder* cannot
            be written.
    """
    pooch.get_logger().setLevel("WARNING")  # it tells programmers what to do with a checksum
    name = _file_name(url)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / f"{name}.lock"):
            fetch = _Resuming(_Piece(folder / f"{name}.part"), expected)
            return Path(pooch.retrieve(url, expected.sha256, name, folder, downloader=fetch))
    except OSError as error:
        raise InputError(f"{error.filename or folder}: {error.strerror or error}") from error


def _file_name(url: str) -> str:
    """Return a file name for *url*: that of the path, behind a hash of the whole address.

    pooch's own may hold any character and be too long for the names beside it (``.part.json``).
    """
    try:
        name = PurePosixPath(unquote(urlsplit(url).path)).name
    except ValueError as error:
        raise InputError(f"{url}: not an address ({error})") from error
    name = re.sub(r"[^\w.-]", "_", name)[-80:] or "file"
    return f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{name}"


class _Piece:
    """The bytes of a file that have arrived, and which version of the file they are from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._version_file = path.with_name(path.name + ".json")

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return self.path.stat().st_size if self.path.exists() else 0

    @property
    def version(self) -> str | None:
        """The validator that the server gave; without one, a piece cannot be resumed safely."""
        try:
            text = self._version_file.read_text(encoding="utf-8")
            found = json.loads(text)["validator"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return found if isinstance(found, str) else None

    @version.setter
    def version(self, validator: str | None) -> None:
        self._version_file.write_text(json.dumps({"validator": validator}), encoding="utf-8")

    def discard(self) -> None:
        """Remove the bytes and their version."""
        for path in (self.path, self._version_file):
            path.unlink(missing_ok=True)


class _Resuming:
    """A downloader for ``pooch.retrieve`` that keeps a broken transfer and resumes it."""

    def __init__(self, piece: _Piece, expected: Expected) -> None:
        self._piece, self._expected = piece, expected

    def __call__(self, url: str, output_file: str, _: object) -> None:
        """Transfer *url* to *output_file*, which pooch then checks and renames."""
        resumed = self._transfer_all(url)
        try:
            self._check(url)
        except InputError:
            self._piece.discard()
            if not resumed:
                raise
            # The pieces may be of different versions of the file.
            self._transfer_all(url)
            self._check_or_discard(url)
        self._piece.path.rename(output_file)
        self._piece.discard()

    def _transfer_all(self, url: str) -> bool:
        """Transfer until the file is complete; return whether it was put together from pieces."""
        failures, resumed, most = 0, False, self._piece.size
        while True:
            try:
                return self._transfer(url) or resumed
            except _BrokenOffError as error:
                resumed, size = True, self._piece.size
                progress, most = size > most, max(size, most)
                if not progress and failures == len(_PAUSES):
                    raise InputError(
                        f"{url}: broke off {failures + 1} times ({error}); the same command "
                        f"resumes it ({size:,} bytes are there)"
                    ) from error
                failures = 0 if progress else failures + 1
                time.sleep(_PAUSES[max(failures - 1, 0)])

    def _transfer(self, url: str) -> bool:
        """Transfer once, from where the piece ends; return whether it was resumed."""
        have = self._piece.size if self._piece.version else 0
        headers = {"Accept-Encoding": "identity"}  # so that sizes and ranges are those of the file
        if have:
            headers |= {"Range": f"bytes={have}-", "If-Range": str(self._piece.version)}
        body = _Body(url, self._piece, self._expected, have)
        name = self._piece.path.stem.split("-", 1)[1]
        try:
            with body, _Bar(desc=name, unit="B", unit_scale=True) as bar:
                pooch.HTTPDownloader(
                    progressbar=bar,
                    chunk_size=_CHUNK,
                    headers=headers,
                    timeout=_TIMEOUT,
                    hooks={"response": body.begin},
                )(url, body, None)
        except ChunkedEncodingError as error:
            raise _BrokenOffError("the connection was closed early") from error
        except (ConnectionError, Timeout) as error:
            raise _BrokenOffError(_reason(error)) from error
        except RequestException as error:
            raise InputError(f"{url}: {_reason(error)}") from error
        if body.total is not None and self._piece.size < body.total:
            # urllib3 before 2.0 takes a transfer that ends early for a complete one.
            raise _BrokenOffError(f"{self._piece.size:,} of {body.total:,} bytes")
        return body.first > 0

    def _check(self, url: str) -> None:
        piece, expected = self._piece, self._expected
        with piece.path.open("rb") as file:
            if looks_like_html(file.read(4096)):
                raise InputError(f"{url}: an HTML page, not the data")
        if piece.size == 0:
            raise InputError(f"{url}: is empty")
        if expected.size is not None and piece.size != expected.size:
            raise InputError(f"{url}: has {piece.size:,} bytes, not {expected.size:,} as it should")
        found = digest(piece.path)
        if expected.sha256 is not None and found != expected.sha256:
            raise InputError(
                f"{url}: its sha256 is {found}, not {expected.sha256}: damaged, or another version"
            )

    def _check_or_discard(self, url: str) -> None:
        try:
            self._check(url)
        except InputError:
            self._piece.discard()
            raise


class _Bar(tqdm):
    """A progress bar with the file's name; when it resumes, it shows what was still missing."""

    def __bool__(self) -> bool:
        """Return True: pooch asks whether there is a bar, and tqdm, whether it has a total."""
        return True


class _Body:
    """The file that pooch writes to: *piece*, from where the server's answer begins.

    Args:
        asked: the first byte that the server is asked for.
    """

    def __init__(self, url: str, piece: _Piece, expected: Expected, asked: int) -> None:
        self._url, self._piece, self._expected = url, piece, expected
        self.first = asked  # byte of the file with which the answer begins
        self.total: int | None = None  # bytes of the whole file, if the server says it
        self._file: BinaryIO | None = None

    def __enter__(self) -> _Body:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()

    def begin(self, response: Response, *_: object, **__: object) -> None:
        """Look at an answer before its body is read; requests calls it."""
        if response.is_redirect:
            return
        self.first = self._first_byte(response)
        self.total = self._total(response)
        self._piece.version = _validator(response)
        self._file = self._piece.path.open("r+b" if self.first else "wb")
        self._file.seek(self.first)
        self._file.truncate()

    def write(self, chunk: bytes) -> None:
        """Append *chunk*.

        Raises:
            InputError: the file gets longer than the server said, or than is reasonable.
        """
        assert self._file is not None, "begin comes first"
        limit = self.total or self._expected.size or MAX_BYTES
        if self._file.tell() + len(chunk) > limit:
            raise InputError(f"{self._url}: sends more than {limit:,} bytes")
        self._file.write(chunk)

    def flush(self) -> None:
        """Do nothing: a chunk that is still in memory is written when the file is closed."""

    def _first_byte(self, response: Response) -> int:
        """Return the position of the first byte that *response* brings; 0 is a new beginning."""
        status = response.status_code
        if status == 206:
            match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
            same = _validator(response) == self._piece.version
            if match and int(match[1]) == self.first and same:
                return self.first
        if status in (206, 416):
            self._piece.discard()
            raise _BrokenOffError("the server did not resume where it was asked to")
        if status == 429 or status >= 500:
            raise _BrokenOffError(f"the server answered {status} {response.reason}")
        if status != 200:
            raise InputError(f"{self._url}: the server answered {status} {response.reason}")
        if "html" in response.headers.get("Content-Type", "").lower():
            raise InputError(
                f"{self._url}: an HTML page, not the data; is this the address of the raw file?"
            )
        self._piece.discard()
        return 0

    def _total(self, response: Response) -> int | None:
        """Return the size of the whole file, if the server says it.

        Raises:
            InputError: it is not the expected one, or larger than ``MAX_BYTES``.
        """
        length = response.headers.get("Content-Length", "")
        if not length.isdigit() or _encoded(response):
            return None
        total = self.first + int(length)
        expected = self._expected.size
        if expected is not None and total != expected:
            raise InputError(f"{self._url}: has {total:,} bytes, not {expected:,} as it should")
        if total > MAX_BYTES:
            raise InputError(
                f"{self._url}: has {total:,} bytes; the most that is downloaded is {MAX_BYTES:,}"
            )
        return total


def _encoded(response: Response) -> bool:
    return response.headers.get("Content-Encoding", "identity") != "identity"


def _validator(response: Response) -> str | None:
    """Return the entity tag or date of the file sent; a weak tag does not serve (RFC 9110)."""
    if _encoded(response):
        return None
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")


def _reason(error: Exception) -> str:
    """Return the innermost explanation of an error of requests, in one line."""
    cause: BaseException = error
    while cause.args and isinstance(cause.args[-1], BaseException):
        cause = cause.args[-1]
    reason = getattr(cause, "reason", None)
    if isinstance(reason, BaseException):
        cause = reason
    return " ".join(str(cause).split())[:200] or type(cause).__name__
