"""A real web server for the tests, which can misbehave in the ways that real ones do, and processes that use it."""

from __future__ import annotations

import hashlib
import io
import json
import threading
import time
import zipfile
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from zoo.specs import WeightFile
from zoo.weights import Settings, WeightStore

ORIGIN = "127.0.0.1:9"
"""The host that the tests' cards name. Nothing listens there; its files come from the mirror."""
PIECE = 16 << 10


@dataclass
class Site:
    """What the server has (`files` by path), how it misbehaves, and what it was asked: path and Range header.

    `cuts` are the numbers of bytes after which the next answers of a path break off, `statuses` its next answers'
    failures, `redirects` where it is now; `ranges` is ``right``, ``ignored`` or ``wrong``; `pause` seconds go by before
    each piece.
    """

    files: dict[str, bytes] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    cuts: dict[str, list[int]] = field(default_factory=dict)
    statuses: dict[str, list[int]] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    ranges: str = "right"
    lengths: bool = True
    pause: float = 0.0
    requests: list[tuple[str, str]] = field(default_factory=list)
    address: str = ""

    def asked(self, path: str) -> list[str]:
        """The Range headers of the requests for `path`."""
        return [span for asked, span in self.requests if asked == path]

    def host(self, name: str, content: bytes, *elsewhere: str) -> WeightFile:
        """Serve `content` as the mirror's copy of a file, and return the file as a card would state it."""
        self.files[f"/{ORIGIN}/{name}"] = content
        return weight_file(name, content, *(elsewhere or (f"https://{ORIGIN}/{name}",)))

    def publish(self, wheel: Path, project: str) -> None:
        """Serve `wheel` from a package index."""
        content = wheel.read_bytes()
        self.files[f"/files/{wheel.name}"] = content
        digest = hashlib.sha256(content).hexdigest()
        entry = {"filename": wheel.name, "url": f"../../files/{wheel.name}", "hashes": {"sha256": digest}}
        page = f"/simple/{project}/"
        self.files[page] = json.dumps({"meta": {"api-version": "1.0"}, "name": project, "files": [entry]}).encode()
        self.types[page] = "application/vnd.pypi.simple.v1+json"


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site, path = self.site, self.path
        wanted = self.headers.get("Range", "")
        site.requests.append((path, wanted))
        if path in site.redirects:
            self.send_response(302)
            self.send_header("Location", site.redirects[path])
            self.end_headers()
        elif statuses := site.statuses.get(path):
            self.send_error(statuses.pop(0))
        elif path not in site.files:
            self.send_error(404)
        else:
            self.answer(site, path, wanted)

    def answer(self, site: Site, path: str, wanted: str) -> None:
        content = site.files[path]
        start = int(wanted.removeprefix("bytes=").removesuffix("-")) if wanted and site.ranges != "ignored" else 0
        if start >= len(content) and start:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            said = start if site.ranges == "right" else 0
            self.send_header("Content-Range", f"bytes {said}-{len(content) - 1}/{len(content)}")
        if site.lengths:
            self.send_header("Content-Length", str(len(content) - start))
        self.send_header("Content-Type", site.types.get(path, "application/octet-stream"))
        self.end_headers()
        cuts = site.cuts.get(path)
        self.send(site, content[start : start + cuts.pop(0)] if cuts else content[start:])

    def send(self, site: Site, content: bytes) -> None:
        for at in range(0, len(content), PIECE):
            time.sleep(site.pause)
            try:
                self.wfile.write(content[at : at + PIECE])
            except OSError:
                return

    def log_message(self, format: str, *args: object) -> None:
        """Keep quiet."""


def serve() -> tuple[Site, ThreadingHTTPServer]:
    site = Site()
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("SiteHandler", (Handler,), {"site": site}))
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    site.address = f"http://127.0.0.1:{server.server_port}"
    return site, server


def weight_file(name: str, content: bytes, *sources: str) -> WeightFile:
    return WeightFile(name, "onnx", hashlib.sha256(content).hexdigest(), len(content), sources)


def make_wheel(folder: Path, members: dict[str, bytes], name: str = "tiny_faces", version: str = "1.0") -> Path:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, content in members.items():
            archive.writestr(member, content)
        archive.writestr(
            f"{name}-{version}.dist-info/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
        )
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}-{version}-py3-none-any.whl"
    path.write_bytes(buffer.getvalue())
    return path


def fetch_together(together: Any, answers: Any, mirror: str, file: WeightFile) -> None:
    """Wait for the other process, then fetch."""
    together.wait(30)
    answers.put(fetch_in_process(mirror, file))


def fetch_in_process(mirror: str, file: WeightFile) -> str:
    """What a process of its own runs; the cache folder comes through the environment."""
    return str(WeightStore(Settings(mirror=mirror), say=lambda message: None).path(file))
