"""The pages that ``make docs`` has built, in a browser without a window."""

import contextlib
import json
import queue
import re
import shutil
import subprocess
import threading
from functools import partial
from html.parser import HTMLParser
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urldefrag

import pytest

pytestmark = pytest.mark.pages

HERE = Path(__file__).parent
BUILT = HERE.parent.parent / "docs" / "_build" / "html"
BROWSERS = "chromium", "chromium-browser", "google-chrome"
WORDS = ["missing values", "overfitting", "imbalance", "calibration", "inertia", "pyclustering"]


class Page(HTMLParser):
    """What a page refers to, what it loads, and where in it links may lead."""

    def __init__(self, path):
        super().__init__()
        self.links, self.loads, self.anchors = [], [], {"", "top"}
        self.feed(path.read_text())

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if tag in {"script", "img", "iframe", "video", "source"} and found.get("src"):
            self.loads.append(found["src"])
        if tag == "link" and found.get("rel") in {"stylesheet", "preload", "icon"}:
            self.loads.append(found["href"])


@pytest.fixture(scope="module")
def pages():
    if not (BUILT / "index.html").exists():
        pytest.fail("There are no pages yet: run make docs first.")
    paths = [p for p in sorted(BUILT.rglob("*.html")) if not p.is_relative_to(BUILT / "_static")]
    return {path.relative_to(BUILT).as_posix(): Page(path) for path in paths}


@pytest.fixture(scope="module")
def seen(pages, tmp_path_factory):
    """What a browser reports of all pages: widths, images, what searches find, its console."""
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        pytest.fail(f"No browser: install one of {', '.join(BROWSERS)}.")
    reports = queue.Queue()
    task = json.dumps({"pages": list(pages), "words": WORDS}).encode()

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self):
            answers = {"/task": task, "/look.html": (HERE / "look.html").read_bytes()}
            if self.path not in answers:
                # The browser leaves pages before all their scripts have come.
                with contextlib.suppress(ConnectionError):
                    super().do_GET()
                return
            self.send_response(200)
            self.end_headers()
            self.wfile.write(answers[self.path])

        def do_POST(self):
            reports.put(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *told):
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=BUILT))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    log = tmp_path_factory.mktemp("browser") / "log"
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--window-size=1400,1300"]
    command += ["--enable-logging=stderr", f"--user-data-dir={log.parent}", "--mute-audio"]
    command += ["--remote-debugging-port=0", f"http://127.0.0.1:{server.server_port}/look.html"]
    with open(log, "wb") as told:
        process = subprocess.Popen(command, stderr=told, stdout=subprocess.DEVNULL)
        try:
            report = reports.get(timeout=900)
        finally:
            process.terminate()
            process.wait()
            server.shutdown()
            server.server_close()
    told = re.findall(r"CONSOLE.*?\] (.*)", log.read_text(errors="replace"))
    # The theme says which of its modes it is in.
    report["console"] = [line for line in told if not line.startswith('"[PST]')]
    return report


def test_pages_are_no_wider_than_the_screen(seen):
    wide = [(s["address"], s["width"], s["tooWide"]) for s in seen["seen"] if s["tooWide"]]
    assert wide == []


def test_images_are_there(seen, pages):
    assert {src for s in seen["seen"] for src in s["broken"]} == set()


def test_the_console_is_silent(seen):
    assert seen["console"] == []


def test_searches_find_something(seen):
    assert [word for word, hits in seen["hits"].items() if not hits] == []


def test_links_lead_somewhere(pages):
    lost = set()
    for address, page in pages.items():
        for link in page.links:
            target, anchor = urldefrag(link)
            if re.match(r"[a-z]+:", target):
                continue
            path = (BUILT / address).parent / unquote(target) if target else BUILT / address
            path = path.resolve()
            if path.is_dir():
                path /= "index.html"
            there = pages.get(path.relative_to(BUILT.resolve()).as_posix())
            if not path.exists() or (there and unquote(anchor) not in there.anchors):
                lost.add((address, link))
    assert lost == set()


def test_nothing_is_loaded_from_elsewhere(pages):
    found = {(a, src) for a, page in pages.items() for src in page.loads if "//" in src}
    assert {(a, src) for a, src in found if not src.startswith("data:")} == set()


def test_every_page_of_the_gallery_has_a_thumbnail_of_its_own():
    """sphinx-gallery shows one and the same picture where a page has none."""
    thumbnails = {}
    for path in BUILT.glob("_images/sphx_glr_*_thumb.*"):
        thumbnails.setdefault(path.read_bytes(), []).append(path.name)
    assert [names for names in thumbnails.values() if len(names) > 1] == []


def test_no_page_shows_a_warning_or_a_folder_of_this_machine(pages):
    said = re.compile(rf"\.py:\d+: \w*Warning|{re.escape(str(BUILT.parents[2]))}")
    assert [a for a in pages if said.search((BUILT / a).read_text(encoding="utf-8"))] == []
