"""BSDS500: a small one of our own making, a local server, and the real one where it is."""

import hashlib
import http.server
import io
import socket
import tarfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy.io import savemat

from skkuranet.datasets import fetch_bsds500, load_bsds500, load_bsds500_paper

REAL = Path(__file__).parents[3] / "shared" / "bsds500"


def made(folder):
    """A data set of three tiny images, in the authors' layout."""
    data = folder / "BSR" / "BSDS500" / "data"
    for number, subset in {12: "train", 7: "train", 90: "val"}.items():
        for kind in ("images", "groundTruth"):
            (data / kind / subset).mkdir(parents=True, exist_ok=True)
        image = np.full((4, 6, 3), number, np.uint8)
        Image.fromarray(image).save(data / "images" / subset / f"{number}.jpg", quality=100)
        people = np.empty((1, 2), dtype=object)
        for person in range(2):
            people[0, person] = {"Segmentation": np.full((4, 6), person + 1, np.uint16)}
        savemat(data / "groundTruth" / subset / f"{number}.mat", {"groundTruth": people})
    return folder


def test_load(tmp_path):
    folder = made(tmp_path)
    bunch = load_bsds500(folder)
    assert bunch.ids == [7, 12]
    assert bunch.images[0].shape == (4, 6, 3)
    assert bunch.images[1][0, 0, 0] == pytest.approx(12, abs=2)
    assert [s[0, 0] for s in bunch.segmentations[0]] == [1, 2]
    images, masks = load_bsds500(folder / "BSR", subset="val", return_X_y=True)
    assert len(images) == len(masks) == 1
    assert load_bsds500(folder, ids=[12]).ids == [12]


def test_bad_paths_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="has no folders 'images' and 'groundTruth'"):
        load_bsds500(tmp_path)
    folder = made(tmp_path)
    with pytest.raises(ValueError, match="subset must be one of"):
        load_bsds500(folder, subset="all")
    with pytest.raises(FileNotFoundError, match="Image 90 is not in train"):
        load_bsds500(folder, ids=[90])
    with pytest.raises(FileNotFoundError, match="No images of subset='test'"):
        load_bsds500(folder, subset="test")
    with pytest.raises(FileNotFoundError, match="Image 90076 is not in train or val or test"):
        load_bsds500_paper(folder)


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves one file, but for ``breaks`` answers that break off and while it is silent."""

    def do_GET(self):
        server = self.server
        server.asked += 1
        if server.silent is not None:
            server.silent.wait()
        self.send_response(200)
        self.send_header("Content-Length", str(len(server.content)))
        self.end_headers()
        whole = server.asked > server.breaks
        self.wfile.write(server.content if whole else server.content[: len(server.content) // 2])

    def log_message(self, *_):
        pass


@pytest.fixture
def server(tmp_path):
    packed = tmp_path / "packed.tgz"
    with tarfile.open(packed, "w:gz") as archive:
        archive.add(made(tmp_path / "made") / "BSR", "BSR")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.content, server.asked, server.breaks = packed.read_bytes(), 0, 0
    server.silent = None
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def fetch(server, home, **options):
    settings = {
        "mirror": f"http://127.0.0.1:{server.server_address[1]}/packed.tgz",
        "sha256": hashlib.sha256(server.content).hexdigest(),
        "delay": 0.0,
        **options,
    }
    return fetch_bsds500(home, **settings)


def test_fetch_downloads_once(server, tmp_path):
    assert fetch(server, tmp_path / "home").ids == [7, 12]
    assert fetch(server, tmp_path / "home", subset="val").ids == [90]
    assert server.asked == 1


def test_a_broken_download_is_tried_again(server, tmp_path):
    server.breaks = 2
    with pytest.warns(UserWarning, match="Retry downloading"):
        assert fetch(server, tmp_path / "home").ids == [7, 12]
    assert server.asked == 3
    server.breaks = 4
    with pytest.raises(OSError, match=r"mirror='http.*Pass another mirror, or call again"):
        fetch(server, tmp_path / "other", n_retries=0)
    with pytest.raises(OSError, match="mirror='nowhere' does not give BSDS500"):
        fetch(server, tmp_path / "other", mirror="nowhere")


def test_a_silent_server_counts_as_broken(server, tmp_path):
    server.silent = threading.Event()
    before = socket.getdefaulttimeout()
    with pytest.raises(OSError, match=r"does not give BSDS500: .*timed out"):
        fetch(server, tmp_path, n_retries=0, timeout=0.05)
    assert socket.getdefaulttimeout() == before
    server.silent.set()


def test_another_archive_is_refused_and_removed(server, tmp_path):
    with pytest.raises(OSError, match=r"SHA256 checksum .* differs from expected"):
        fetch(server, tmp_path, sha256="0" * 64)
    assert not list((tmp_path / "bsds500").iterdir())
    with pytest.raises(OSError, match="download_if_missing=False"):
        fetch(server, tmp_path, download_if_missing=False)


def test_an_interrupted_extraction_leaves_nothing_that_looks_whole(server, tmp_path, monkeypatch):
    def interrupted(self, folder, **_):
        (Path(folder) / "BSR" / "BSDS500" / "data" / "images").mkdir(parents=True)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(tarfile.TarFile, "extractall", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch(server, tmp_path)
    assert fetch(server, tmp_path).ids == [7, 12]
    # The archive was whole, and is not asked for again.
    assert server.asked == 1
    for wrong in ({"subset": "all"}, {"n_retries": -1}, {"timeout": 0.0}):
        with pytest.raises(ValueError, match=next(iter(wrong))):
            fetch(server, tmp_path / "new", **wrong)


def test_of_many_at_once_one_downloads(server, tmp_path):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: fetch(server, tmp_path).ids, range(4)))
    assert found == [[7, 12]] * 4
    assert server.asked == 1


def test_what_a_kill_has_left_is_removed(server, tmp_path):
    home = tmp_path / "bsds500"
    (home / "unpacking-1" / "BSR").mkdir(parents=True)
    (home / "BSR_bsds500.tgz.abc.part").write_bytes(b"half of an archive")
    assert fetch(server, tmp_path).ids == [7, 12]
    assert [path.name for path in home.iterdir()] == ["BSR"]


@pytest.mark.parametrize("content", [b"no archive", "half", "empty"])
def test_an_archive_that_cannot_be_unpacked_is_removed(content, server, tmp_path):
    whole = server.content
    empty = io.BytesIO()
    tarfile.open(fileobj=empty, mode="w:gz").close()
    server.content = {"half": whole[: len(whole) // 2], "empty": empty.getvalue()}.get(
        content, content
    )
    with pytest.raises(OSError, match=r"archive of mirror='http.* cannot be unpacked"):
        fetch(server, tmp_path)
    assert not list((tmp_path / "bsds500").iterdir())
    server.content = whole
    assert fetch(server, tmp_path).ids == [7, 12]


@pytest.mark.parametrize("limit", ["_MOST_PACKED", "_MOST_UNPACKED"])
def test_an_archive_that_is_too_large_is_refused(limit, server, tmp_path, monkeypatch):
    monkeypatch.setattr(f"skkuranet.datasets._bsds500.{limit}", 99)
    with pytest.raises(OSError, match=r"mirror=.* more than 99 bytes"):
        fetch(server, tmp_path)
    assert not list((tmp_path / "bsds500").iterdir())
    assert server.asked == 1


@pytest.mark.skipif(not REAL.is_dir(), reason="BSDS500 is not there")
def test_the_images_of_the_paper():
    bunch = load_bsds500_paper(REAL)
    assert len(bunch.images) == len(bunch.masks) == len(bunch.ids) == 9
    for image, mask in zip(bunch.images, bunch.masks, strict=True):
        assert image.shape[:2] == mask.shape
        assert mask.size == 154_401
    assert [int(mask.max()) + 1 for mask in bunch.masks] == [4, 5, 5, 4, 4, 4, 5, 4, 4]
