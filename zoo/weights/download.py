"""Reading from the network: over https, with time limits, retried, continued, and into a file that is verified."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from email.message import Message
from typing import IO, TYPE_CHECKING, Any, Protocol, TypeVar

from zoo import __version__
from zoo.errors import WeightsError
from zoo.requests import Progress, Silent
from zoo.weights.hashes import mismatch
from zoo.weights.parts import Part, require_space
from zoo.weights.settings import Address, public, refusal

if TYPE_CHECKING:
    from urllib.request import OpenerDirector

CHUNK = 1 << 16
TIMEOUT = 30.0
"""Seconds to wait for a connection, and for each piece of an answer."""
PAUSES = (0.3, 1.0, 2.0, 4.0)
"""Seconds to wait before each new try after a failure that may pass."""
MAX_DOWNLOAD = 4 << 30
"""Bytes that are read of a file whose size nobody states."""

_PASSING = (408, 425, 429, 500, 502, 503, 504)
T = TypeVar("T")


class Interrupted(Exception):  # noqa: N818 - what happened, and it is no error unless it goes on
    """A transfer failed in a way that may pass."""


class Sink(Protocol):
    """What a transfer is written to: a `Part`, or memory."""

    size: int

    def write(self, chunk: bytes) -> None:
        """Append."""

    def restart(self) -> None:
        """Forget what was written."""


@dataclass(frozen=True)
class Job:
    """What is to be read: `label` for the progress, the `size` in bytes (0 when not known) and where it is shown."""

    label: str
    size: int = 0
    progress: Progress = field(default_factory=Silent)


@dataclass(frozen=True)
class Page:
    """A small document: where it came from in the end, its media type, and its content."""

    address: Address
    content_type: str
    content: bytes


def fetch(addresses: Sequence[Address], part: Part, sha256: str, job: Job) -> None:
    """Fill `part` with the file of this hash from the first address that has it.

    What `part` holds already is continued where the server can do that. Raises `WeightsError` with the reason of
    every address, and `ZooError` when the disk has no room.
    """
    _first(addresses, lambda address: _fetch_verified(address, part, sha256, job))


def get(addresses: Sequence[Address], accept: str, limit: int) -> Page:
    """The document of at most `limit` bytes at the first address that has it. Raises `WeightsError`."""

    def page(address: Address) -> Page:
        memory = _Memory(limit)

        def attempt() -> tuple[str, Message]:
            memory.restart()
            return _attempt(address, memory, Job("index"), accept)

        url, headers = _patiently(attempt)
        return Page(Address(url, address.setting), headers.get_content_type(), bytes(memory.content))

    return _first(addresses, page)


def _first(addresses: Sequence[Address], read: Callable[[Address], T]) -> T:
    reasons = []
    for address in addresses:
        try:
            return read(address)
        except WeightsError as error:
            reasons.append(f"{public(address.url)}: {error}" if len(addresses) > 1 else str(error))
    raise WeightsError("; ".join(reasons) or "no address may be read")


def _fetch_verified(address: Address, part: Part, sha256: str, job: Job) -> None:
    """Transfer and verify; what was continued and does not match is begun anew, once."""
    for _ in range(2):
        continued = _transfer(address, part, job)
        if part.sha256 == sha256:
            return
        error = mismatch(sha256, part.sha256)
        part.restart()
        if not continued:
            break
    raise error


def _transfer(address: Address, part: Part, job: Job) -> bool:
    """Fill `part`; say whether any of it was there before a try began."""
    continued = False

    def attempt() -> None:
        nonlocal continued
        continued = continued or part.size > 0
        if not (job.size and part.size == job.size):
            _attempt(address, part, job)

    _patiently(attempt)
    return continued


def _patiently(attempt: Callable[[], T]) -> T:
    for pause in PAUSES:
        try:
            return attempt()
        except Interrupted:
            time.sleep(pause)
    try:
        return attempt()
    except Interrupted as error:
        raise WeightsError(f"{error} (tried {len(PAUSES) + 1} times)") from error


def _attempt(address: Address, sink: Sink, job: Job, accept: str = "*/*") -> tuple[str, Message]:
    """One request, whose answer is appended to `sink` or replaces it; its final address and headers are returned."""
    with _explained(), _opened(address, sink.size, accept) as response:
        total = _line_up(response, sink)
        if job.size and total is not None and total != job.size:
            raise WeightsError(f"it is {total} bytes, expected {job.size}")
        if isinstance(sink, Part):
            require_space(sink.path.parent, (total or job.size) - sink.size)
        job.progress.start(job.label, total or job.size or None)
        job.progress.advance(sink.size)
        _copy(response, sink, job, total)
        return response.url, response.headers


def _copy(response: IO[bytes], sink: Sink, job: Job, total: int | None) -> None:
    expected = job.size or total
    while chunk := response.read(CHUNK):
        sink.write(chunk)
        job.progress.advance(len(chunk))
        if sink.size > (expected or MAX_DOWNLOAD):
            too_long = sink.size
            sink.restart()
            raise WeightsError(f"it sends {too_long} bytes and more, expected {expected or f'at most {MAX_DOWNLOAD}'}")
    if expected is not None and sink.size < expected:
        raise Interrupted(f"the connection ended after {sink.size} of {expected} bytes")


def _line_up(response: Any, sink: Sink) -> int | None:
    """Make `sink` end where the answer begins, and return the size of the whole file as far as it is stated."""
    headers: Message = response.headers
    if response.status == 206:
        span = headers.get("Content-Range", "")
        match = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", span)
        if match and int(match[1]) == sink.size and int(match[2]) == int(match[3]) - 1:
            return int(match[3])
        wanted = sink.size
        sink.restart()
        raise Interrupted(f"asked for the bytes from {wanted} on, the server sends {span!r}")
    if sink.size:
        sink.restart()
    length = headers.get("Content-Length", "")
    return int(length) if length.isdecimal() else None


@contextlib.contextmanager
def _opened(address: Address, start: int, accept: str) -> Iterator[Any]:
    """The answer to a request for the bytes from `start` on; for all when the server will not send just those."""
    from urllib.error import HTTPError
    from urllib.request import Request

    if reason := refusal(address):
        raise WeightsError(reason)
    headers = {"User-Agent": f"facezoo/{__version__}", "Accept": accept, "Accept-Encoding": "identity"}
    ranged = headers | {"Range": f"bytes={start}-"}
    opener = _opener(address)
    try:
        response = opener.open(Request(address.url, headers=ranged if start else headers), timeout=TIMEOUT)
    except HTTPError as error:
        if not (start and error.code == 416):
            raise
        error.close()
        response = opener.open(Request(address.url, headers=headers), timeout=TIMEOUT)
    with response:
        yield response


def _opener(address: Address) -> OpenerDirector:
    """An opener that follows redirects only to where `address` itself might lie."""
    from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

    class Redirects(HTTPRedirectHandler):
        """Refuses what `refusal` refuses."""

        def redirect_request(
            self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Any, newurl: str
        ) -> Request | None:
            if reason := refusal(Address(newurl, address.setting)):
                fp.close()
                raise WeightsError(f"it redirects to {public(newurl)}, but {reason}")
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    # Plain http is this very machine, which no proxy reaches.
    return build_opener(Redirects, ProxyHandler({})) if address.url.startswith("http:") else build_opener(Redirects)


@contextlib.contextmanager
def _explained() -> Iterator[None]:
    """Turn what urllib raises into `Interrupted` where a new try may help, and into `WeightsError` where not."""
    import ssl
    from http.client import HTTPException, InvalidURL
    from urllib.error import HTTPError, URLError

    try:
        yield
    except HTTPError as error:
        error.close()
        kind = Interrupted if error.code in _PASSING else WeightsError
        raise kind(f"the server answers {error.code} {error.reason}") from error
    except URLError as error:
        # No connection came about. Only one that broke while it was made is worth another try.
        broken = isinstance(error.reason, ConnectionResetError | BrokenPipeError | ssl.SSLEOFError)
        kind = Interrupted if broken else WeightsError
        raise kind(f"it cannot be reached ({_reason(error.reason)})") from error
    except InvalidURL as error:
        raise WeightsError(f"it is no address ({error})") from error
    except (HTTPException, OSError) as error:
        raise Interrupted(f"the connection failed ({_reason(error)})") from error


def _reason(error: object) -> str:
    if isinstance(error, TimeoutError):
        return f"no answer within {TIMEOUT:g} seconds"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


class _Memory:
    """A `Sink` that keeps at most `limit` bytes."""

    def __init__(self, limit: int) -> None:
        self.content = bytearray()
        self.size = 0
        self._limit = limit

    def write(self, chunk: bytes) -> None:
        self.content += chunk
        self.size = len(self.content)
        if self.size > self._limit:
            raise WeightsError(f"it is larger than {self._limit} bytes")

    def restart(self) -> None:
        self.content.clear()
        self.size = 0
