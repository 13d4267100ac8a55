"""Downloading a file: progress, resuming after a break, size and checksum."""

from __future__ import annotations

import hashlib
import json
import re
import time
from pathlib import Path, PurePosixPath
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import requests
from filelock import FileLock
from requests.exceptions import ChunkedEncodingError, ConnectionError, RequestException, Timeout
from tqdm import tqdm

from fairseq_seqgan.support.errors import InputError

from .text import looks_like_html

MAX_BYTES = 2**30
_PAUSES = (0.2, 1.0, 3.0)  # seconds before another try after a failure that brought nothing
_TIMEOUT = (10, 60)  # seconds to connect, and to wait for the next bytes
_CHUNK = 2**13  # bytes; at a break, less than this is lost


class Expected(NamedTuple):
    """What is known of a file before it is downloaded."""

    sha256: str | None = None
    size: int | None = None  # bytes


class _BrokenOffError(Exception):
    """The transfer failed in a way that another try may cure."""


def download(url: str, folder: Path, expected: Expected = Expected()) -> Path:  # noqa: B008
    """Return the file behind *url*, downloaded into *folder* unless it is there already.

    A transfer that breaks off is resumed where the server allows it, also by a later call, and
    otherwise begun anew. The file gets its name when it is complete and has been checked.

    Raises:
        InputError: the server refuses, sends a web page, or something of another size or checksum
            than *expected*, or the transfer breaks off again and again.
    """
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / _file_name(url)
    part = target.with_name(target.name + ".part")
    with FileLock(target.with_name(target.name + ".lock")):
        if target.exists() and expected.sha256 in (None, sha256_of(target)):
            return target
        resumed = _transfer_all(url, part, expected)
        try:
            _check(url, part, expected)
        except InputError:
            _discard(part)
            if not resumed:
                raise
            # The two halves may be of different versions of the file.
            _transfer_all(url, part, expected)
            _check_or_discard(url, part, expected)
        part.rename(target)
        _discard(part)
    return target


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of the file *path* as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _file_name(url: str) -> str:
    """Return a file name for *url*: that of the path, behind a hash of the whole address."""
    try:
        name = PurePosixPath(unquote(urlsplit(url).path)).name
    except ValueError as error:
        raise InputError(f"{url}: not an address ({error})") from error
    name = re.sub(r"[^\w.-]", "_", name)[-80:] or "file"
    return f"{hashlib.sha256(url.encode()).hexdigest()[:12]}-{name}"


def _transfer_all(url: str, part: Path, expected: Expected) -> bool:
    """Transfer until *part* is complete; return whether it was put together from pieces."""
    failures, resumed, most = 0, False, _size(part)
    while True:
        try:
            return _transfer(url, part, expected) or resumed
        except _BrokenOffError as error:
            resumed = True
            progress, most = _size(part) > most, max(_size(part), most)
            if not progress and failures == len(_PAUSES):
                raise InputError(
                    f"{url}: broke off {failures + 1} times ({error}); the same command goes on "
                    f"where it stopped ({_size(part):,} bytes are there)"
                ) from error
            failures = 0 if progress else failures + 1
            time.sleep(_PAUSES[max(failures - 1, 0)])


def _transfer(url: str, part: Path, expected: Expected) -> bool:
    """Transfer once, from where *part* ends; return whether it was resumed."""
    validator = _read_validator(part)
    have = _size(part) if validator else 0
    headers = {"Accept-Encoding": "identity"}  # so that sizes and ranges are those of the file
    if have:
        headers |= {"Range": f"bytes={have}-", "If-Range": str(validator)}
    try:
        with requests.get(url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
            have = _first_byte(url, response, have, part)
            total = _total(url, response, have, expected)
            _write_validator(part, response)
            _append(url, response, part, have, total, expected)
    except ChunkedEncodingError as error:
        raise _BrokenOffError("the connection was closed early") from error
    except (ConnectionError, Timeout) as error:
        raise _BrokenOffError(_reason(error)) from error
    except RequestException as error:
        raise InputError(f"{url}: {_reason(error)}") from error
    if total is not None and _size(part) < total:  # urllib3 before 2.0 does not complain itself
        raise _BrokenOffError(f"{_size(part):,} of {total:,} bytes")
    return have > 0


def _first_byte(url: str, response: requests.Response, have: int, part: Path) -> int:
    """Return the position of the first byte that *response* brings; 0 is a new beginning."""
    status = response.status_code
    if status == 206:
        match = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        if match and int(match[1]) == have and _validator(response) == _read_validator(part):
            return have
    if status in (206, 416):
        _discard(part)
        raise _BrokenOffError("the server did not go on where it was asked to")
    if status == 429 or status >= 500:
        raise _BrokenOffError(f"the server answered {status} {response.reason}")
    if status != 200:
        raise InputError(f"{url}: the server answered {status} {response.reason}")
    if "html" in response.headers.get("Content-Type", "").lower():
        raise InputError(f"{url}: an HTML page, not the data; is this the address of the raw file?")
    _discard(part)
    return 0


def _total(url: str, response: requests.Response, have: int, expected: Expected) -> int | None:
    """Return the size of the whole file, if the server says it.

    Raises:
        InputError: it is not the expected one, or beyond any reason.
    """
    length = response.headers.get("Content-Length", "")
    if not length.isdigit() or response.headers.get("Content-Encoding", "identity") != "identity":
        return None
    total = have + int(length)
    if expected.size is not None and total != expected.size:
        raise InputError(f"{url}: has {total:,} bytes, not {expected.size:,} as it should")
    if total > MAX_BYTES:
        raise InputError(
            f"{url}: has {total:,} bytes; the most that is downloaded is {MAX_BYTES:,}"
        )
    return total


def _append(
    url: str,
    response: requests.Response,
    part: Path,
    have: int,
    total: int | None,
    expected: Expected,
) -> None:
    """Write the body of *response* into *part* from byte *have* on."""
    limit = total or expected.size or MAX_BYTES
    name = _file_name(url).split("-", 1)[1]
    with (
        part.open("r+b" if have else "wb") as file,
        tqdm(desc=name, total=total, initial=have, unit="B", unit_scale=True) as bar,
    ):
        file.seek(have)
        for chunk in response.iter_content(_CHUNK):
            if have + len(chunk) > limit:
                raise InputError(f"{url}: sends more than {limit:,} bytes")
            file.write(chunk)
            have += len(chunk)
            bar.update(len(chunk))
        file.truncate()


def _check(url: str, part: Path, expected: Expected) -> None:
    size = _size(part)
    with part.open("rb") as file:
        if looks_like_html(file.read(4096)):
            raise InputError(f"{url}: an HTML page, not the data")
    if size == 0:
        raise InputError(f"{url}: is empty")
    if expected.size is not None and size != expected.size:
        raise InputError(f"{url}: has {size:,} bytes, not {expected.size:,} as it should")
    found = sha256_of(part)
    if expected.sha256 is not None and found != expected.sha256:
        raise InputError(
            f"{url}: its sha256 is {found}, not {expected.sha256}: damaged, or another version"
        )


def _check_or_discard(url: str, part: Path, expected: Expected) -> None:
    try:
        _check(url, part, expected)
    except InputError:
        _discard(part)
        raise


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _validator_file(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_validator(part: Path) -> str | None:
    """Return what names the version of the file that *part* is a piece of."""
    try:
        validator = json.loads(_validator_file(part).read_text(encoding="utf-8"))["validator"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return validator if isinstance(validator, str) else None


def _validator(response: requests.Response) -> str | None:
    """Return the entity tag or date of the file sent; a weak tag does not serve (RFC 9110)."""
    if response.headers.get("Content-Encoding", "identity") != "identity":
        return None
    tag = response.headers.get("ETag", "")
    return tag if tag and not tag.startswith("W/") else response.headers.get("Last-Modified")


def _write_validator(part: Path, response: requests.Response) -> None:
    """Store it: without one, a piece cannot be resumed safely."""
    text = json.dumps({"validator": _validator(response)})
    _validator_file(part).write_text(text, encoding="utf-8")


def _discard(part: Path) -> None:
    for path in (part, _validator_file(part)):
        path.unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    """Return the innermost explanation of an error of requests, in one line."""
    cause: BaseException = error
    while cause.args and isinstance(cause.args[-1], BaseException):
        cause = cause.args[-1]
    reason = getattr(cause, "reason", None)
    if isinstance(reason, BaseException):
        cause = reason
    return " ".join(str(cause).split())[:200] or type(cause).__name__
