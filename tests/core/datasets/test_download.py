"""Downloads against a real server on this machine that cuts, forgets, lies and refuses."""

import hashlib
import io
import json
import shutil
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import zipfile
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import cv2
import numpy as np
import pytest

from core import cli
from core.datasets import load
from core.datasets.download import FIRST_PAUSE, RECORD_NAME, TRIES, download
from core.errors import Cancelled, DatasetError, ParameterError

LIST = "training_set_pixel_size_and_HC.csv"
ARCHIVE = "training_set.zip"


def picture(seed):
    return cv2.imencode(".png", np.random.default_rng(seed).integers(0, 256, (120, 160), np.uint8))[1].tobytes()


def zipped(files):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


class Zenodo:
    """A record's interface and files. ``faults`` are used up one a request for a file; each is a word of ``serve``."""

    def __init__(self):
        names = [f"{number:03d}_HC.png" for number in range(6)]
        pictures = {f"training_set/{name}": picture(seed) for seed, name in enumerate(names)}
        rows = "".join(f"{name},0.1,{50 + seed}\n" for seed, name in enumerate(names))
        self.files = {
            ARCHIVE: zipped({**pictures, "__MACOSX/training_set/._000_HC.png": b"junk"}),
            LIST: f"filename,pixel size(mm),head circumference (mm)\n{rows}".encode(),
            "test_set.zip": b"not asked for",
        }
        self.faults: list[str] = []
        self.always = ""
        self.requests: list[tuple[str, str]] = []
        self.record_status = [200]
        self.record_body = None
        self.wait = threading.Event()

    def record(self):
        if self.record_body is not None:
            return self.record_body
        files = [
            {"key": name, "size": len(data), "checksum": "md5:" + hashlib.md5(data).hexdigest(), "links": {}}
            for name, data in self.files.items()
        ]
        return json.dumps({"id": 1327317, "files": files}).encode()

    def asked(self, name):
        """The Range of every request for a file."""
        return [wish for path, wish in self.requests if path == name]


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def reply(self, status, body, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": len(body), **headers}.items():
            self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        return body

    def do_GET(self):
        zenodo = self.server.zenodo
        if self.path.startswith("/api/records/"):
            status = zenodo.record_status.pop(0) if len(zenodo.record_status) > 1 else zenodo.record_status[0]
            self.wfile.write(self.reply(status, zenodo.record() if status == 200 else b"busy"))
            return
        name = self.path.split("/")[-1].split("?")[0]
        wish = self.headers.get("Range", "")
        zenodo.requests.append((name, wish))
        self.serve(zenodo.files[name], wish, zenodo.faults.pop(0) if zenodo.faults else zenodo.always)

    def serve(self, data, wish, fault):
        begin = int(wish.removeprefix("bytes=").rstrip("-")) if wish and "no range" not in fault else 0
        if fault.isdecimal():
            self.wfile.write(self.reply(int(fault), b"", Retry_After=3))
            return
        if fault == "page":
            self.wfile.write(self.reply(200, b"<html>Please sign in</html>"))
            return
        if fault == "other part" and wish:
            begin = max(0, begin - 100)
        if fault == "corrupt":
            data = bytes([data[0] ^ 1]) + data[1:]
        if fault == "corrupt middle":
            data = data[: len(data) // 2] + bytes(len(data) - len(data) // 2)
        body = data[begin:]
        if begin:
            self.reply(206, body, Content_Range=f"bytes {begin}-{len(data) - 1}/{len(data)}")
        elif "no length" in fault:
            self.send_response(200)
            self.send_header("Connection", "close")
            self.end_headers()
        else:
            self.reply(200, body)
        if "cut" in fault or fault == "reset":
            body = body[: len(data) // 3]
        if fault == "stall":
            body = body[: len(data) // 3]
        if fault == "drip":
            body = body[: len(data) // 12 + 1]
        self.wfile.write(body)
        self.wfile.flush()
        if fault == "stall":
            self.server.zenodo.wait.wait(20)
        if fault == "reset":
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        if fault:
            self.close_connection = True


@pytest.fixture
def zenodo():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.zenodo = Zenodo()
    server.zenodo.address = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield server.zenodo
    server.zenodo.wait.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def fetch(zenodo, tmp_path):
    """``fetch()`` downloads HC18 from the local server; ``fetch.pauses`` are the seconds it wanted to wait."""

    def run(**options):
        return download("hc18", tmp_path / "hc18", server=zenodo.address, pause=run.pauses.append, **options)

    run.pauses = []
    return run


def assert_complete(folder):
    table = load(folder)
    assert table.layout == "hc18"
    assert len(table) == 6
    assert [path.read_bytes() for path in sorted(table.paths)] == [picture(seed) for seed in range(6)]
    assert sorted(path.name for path in folder.iterdir()) == [RECORD_NAME, "training_set", LIST]


def part_of(folder, zenodo, name=ARCHIVE):
    return folder / f"{name}.{hashlib.md5(zenodo.files[name]).hexdigest()[:8]}.part"


def test_everything_arrives_and_is_read_as_the_data_set(fetch, zenodo):
    shares = []
    folder = fetch(progress=lambda what, share: shares.append((what, share)))
    assert_complete(folder)
    assert fetch.pauses == []
    assert [name for name, _ in zenodo.requests] == [ARCHIVE, LIST]
    for what in (f"downloading {ARCHIVE}", f"unpacking {ARCHIVE}", f"downloading {LIST}"):
        own = [share for title, share in shares if title == what]
        assert own == sorted(own)
        assert own[-1] == 1


@pytest.fixture
def fetal_planes(zenodo):
    """The server holds FETAL_PLANES_DB with two images, as its archive is packed."""
    rows = ["Patient00001_Plane3_1_of_1;1;Fetal brain;Other;Op. 1;Aloka;1 ", "Patient00002_Plane5_1_of_1;2;Other;;;;0 "]
    table = "Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train \n" + "\n".join(rows)
    images = {f"Images/{row.split(';')[0]}.png": picture(seed) for seed, row in enumerate(rows)}
    zenodo.files = {"FETAL_PLANES_ZENODO.zip": zipped({"FETAL_PLANES_DB_data.csv": table, **images})}
    return zenodo


def test_fetal_planes_arrives_as_the_data_set_too(fetal_planes, tmp_path):
    table = load(download("fetal-planes", tmp_path, server=fetal_planes.address))
    assert table.layout == "fetal-planes"
    assert table.problems == ()
    assert table.frame["split"].tolist() == ["train", "test"]


def test_the_list_comes_last_so_that_a_half_moved_folder_is_not_taken_for_the_data_set(fetal_planes, tmp_path):
    (tmp_path / "Images" / "Patient00002_Plane5_1_of_1.png").mkdir(parents=True)
    with pytest.raises(OSError, match="Patient00002"):
        download("fetal-planes", tmp_path, server=fetal_planes.address)
    assert not (tmp_path / "FETAL_PLANES_DB_data.csv").exists()
    (tmp_path / "Images" / "Patient00002_Plane5_1_of_1.png").rmdir()
    assert len(load(download("fetal-planes", tmp_path, server=fetal_planes.address))) == 2


def test_a_second_call_downloads_nothing(fetch, zenodo):
    fetch()
    zenodo.requests.clear()
    assert_complete(fetch())
    assert zenodo.requests == []


@pytest.mark.parametrize(("name", "asked"), [("training_set", [ARCHIVE]), (LIST, [LIST])])
def test_what_was_deleted_since_is_fetched_again_and_nothing_else(fetch, zenodo, name, asked):
    gone = fetch() / name
    shutil.rmtree(gone) if gone.is_dir() else gone.unlink()
    zenodo.requests.clear()
    assert_complete(fetch())
    assert [name for name, _ in zenodo.requests] == asked


def test_without_a_readable_record_everything_is_fetched_again(fetch, zenodo, tmp_path):
    (fetch() / RECORD_NAME).write_text("{cut")
    assert_complete(fetch())
    assert zenodo.asked(ARCHIVE) == ["", ""]


def test_a_new_version_of_an_archive_replaces_the_old_one(fetch, zenodo):
    fetch()
    names = {f"training_set/{number:03d}_HC.png": picture(number + 10) for number in range(6)}
    zenodo.files[ARCHIVE] = zipped(names)
    folder = fetch()
    assert (folder / "training_set" / "003_HC.png").read_bytes() == picture(13)


def test_a_list_put_there_by_hand_is_taken_if_its_checksum_is_right(fetch, zenodo, tmp_path):
    (tmp_path / "hc18").mkdir()
    (tmp_path / "hc18" / LIST).write_bytes(zenodo.files[LIST])
    assert_complete(fetch())
    assert zenodo.asked(LIST) == []


@pytest.mark.parametrize(
    "faults",
    [
        ["cut"],
        ["cut", "cut"],
        ["reset", "reset"],
        ["cut no length", "no length"],
        ["503", "cut", "429", "cut", "500"],
        ["cut", "no range"],
        ["cut", "other part"],
        ["cut", "416"],
        ["cut", "page", "page"],
        ["page"],
        ["corrupt"],
        ["cut", "corrupt middle"],
        ["503"] * 4,
    ],
    ids=", ".join,
)
def test_whatever_happens_on_the_way_the_right_file_arrives(fetch, zenodo, faults):
    zenodo.faults = list(faults)
    assert_complete(fetch())
    assert not zenodo.faults


def test_after_a_cut_only_the_rest_is_asked_for(fetch, zenodo):
    zenodo.faults = ["cut", "cut"]
    fetch()
    third = len(zenodo.files[ARCHIVE]) // 3
    assert zenodo.asked(ARCHIVE) == ["", f"bytes={third}-", f"bytes={2 * third}-"]


@pytest.mark.parametrize(("fault", "more"), [("no range", []), ("other part", [""]), ("416", [""])])
def test_a_server_without_parts_is_asked_for_the_whole_once_and_nothing_is_damaged(fetch, zenodo, fault, more):
    shares = []
    zenodo.faults = ["cut", fault]
    assert_complete(fetch(progress=lambda what, share: shares.append(share) if ARCHIVE in what else None))
    assert zenodo.asked(ARCHIVE) == ["", f"bytes={len(zenodo.files[ARCHIVE]) // 3}-", *more]
    downloading = shares[: shares.index(1) + 1]
    assert downloading == sorted(downloading)
    assert shares.count(1) == 2, "downloaded once and unpacked once"


def test_a_line_that_always_breaks_ends_in_a_whole_file_as_long_as_something_arrives(fetch, zenodo):
    """More breaks than are borne in a row without a new byte."""
    zenodo.always = "drip"
    assert_complete(fetch())
    assert len(zenodo.asked(ARCHIVE)) > 2 * TRIES
    assert set(fetch.pauses) == {FIRST_PAUSE}


def test_a_line_that_goes_silent_is_taken_up_again(fetch, zenodo, monkeypatch):
    monkeypatch.setattr("core.datasets.download.READ_SECONDS", 0.3)
    zenodo.faults = ["stall"]
    assert_complete(fetch())
    assert zenodo.asked(ARCHIVE) == ["", f"bytes={len(zenodo.files[ARCHIVE]) // 3}-"]


def test_pauses_grow_and_heed_the_server(fetch, zenodo):
    zenodo.record_status = [503, 503, 503, 503, 200]
    zenodo.faults = ["503"]
    fetch()
    assert fetch.pauses == [1, 2, 4, 8, 3], "the server's Retry-After of 3 s at last"


@pytest.mark.parametrize(
    ("always", "message"),
    [
        ("503", f"busy.*503.*{ARCHIVE}.*give the same command again"),
        ("404", f"refuses {ARCHIVE}.*404"),
        ("403", "refuses"),
        ("page", "sends something else"),
        ("corrupt", "arrived damaged 2 times"),
    ],
)
def test_what_does_not_pass_ends_in_one_sentence(fetch, zenodo, tmp_path, always, message):
    zenodo.always = always
    with pytest.raises(DatasetError, match=message) as caught:
        fetch()
    assert "\n" not in str(caught.value)
    assert str(caught.value).endswith(".")
    assert not (tmp_path / "hc18" / ARCHIVE).exists()
    zenodo.always = ""
    assert_complete(fetch())


def test_a_server_that_cuts_at_the_same_place_and_knows_no_parts_is_given_up_but_kept(fetch, zenodo, tmp_path):
    zenodo.always = "cut no range"
    with pytest.raises(DatasetError, match="what has arrived is kept"):
        fetch()
    assert part_of(tmp_path / "hc18", zenodo).stat().st_size == len(zenodo.files[ARCHIVE]) // 3
    zenodo.always = ""
    assert_complete(fetch())


def test_bytes_of_an_older_version_are_never_continued(fetch, zenodo, tmp_path):
    zenodo.always = "cut no range"
    with pytest.raises(DatasetError):
        fetch()
    zenodo.always = ""
    zenodo.requests.clear()
    zenodo.files[ARCHIVE] = zipped({f"training_set/{n:03d}_HC.png": picture(n) for n in range(6)})
    fetch()
    assert zenodo.asked(ARCHIVE) == [""]


def test_more_bytes_than_published_in_the_part_start_it_over(fetch, zenodo, tmp_path):
    part = part_of(tmp_path / "hc18", zenodo)
    part.parent.mkdir()
    part.write_bytes(zenodo.files[ARCHIVE] + b"more")
    assert_complete(fetch())


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>sign in</html>", "sign-in page"),
        (b"{}", "form that is not known"),
        (b"[]", "form that is not known"),
        (b'{"files": [{"key": "training_set.zip", "size": "x", "checksum": "md5:0"}]}', "form that is not known"),
        (b'{"files": [{"key": "training_set.zip", "size": 1, "checksum": "sha9:0"}]}', "form that is not known"),
        (b'{"files": [{"key": "training_set.zip", "size": 1, "checksum": null}]}', "form that is not known"),
        (b'{"files": []}', "no longer holds training_set.zip"),
    ],
)
def test_an_answer_that_is_no_record_is_a_sentence(fetch, zenodo, body, message):
    zenodo.record_body = body
    with pytest.raises(DatasetError, match=message):
        fetch()


def test_no_network_is_a_sentence(tmp_path):
    with pytest.raises(DatasetError, match="cannot be reached; check the internet connection"):
        download("hc18", tmp_path, server="http://127.0.0.1:9", pause=lambda seconds: None)


def test_an_unknown_name_is_refused(tmp_path):
    with pytest.raises(ParameterError, match="hc18, fetal-planes"):
        download("mnist", tmp_path)


def test_too_little_room_is_said_before_anything_is_fetched(fetch, zenodo):
    record = json.loads(zenodo.record())
    record["files"][0]["size"] = 10**18
    zenodo.record_body = json.dumps(record).encode()
    with pytest.raises(DatasetError, match="no room of 1000000000000 MB"):
        fetch()
    assert zenodo.requests == []


def test_a_disk_that_fills_up_on_the_way_is_a_sentence(fetch, zenodo, tmp_path):
    part = part_of(tmp_path / "hc18", zenodo)
    part.parent.mkdir()
    part.symlink_to("/dev/full")
    with pytest.raises(DatasetError, match=f"has no room for {ARCHIVE}; free some space"):
        fetch()
    part.unlink()
    assert_complete(fetch())


@pytest.mark.parametrize(
    "name", ["../outside.png", "/tmp/outside.png", "a/../../outside.png", "..\\outside.png", "C:x.png"]
)
def test_an_archive_that_would_write_elsewhere_is_refused_whole(fetch, zenodo, tmp_path, name):
    zenodo.files[ARCHIVE] = zipped({"training_set/000_HC.png": picture(0), name: b"x"})
    with pytest.raises(DatasetError, match="outside the folder; nothing was unpacked"):
        fetch()
    assert not (tmp_path / "hc18" / "training_set").exists()
    assert not list(tmp_path.rglob("*outside*"))


def test_a_link_in_an_archive_is_refused(fetch, zenodo, tmp_path):
    link = zipfile.ZipInfo("training_set/000_HC.png")
    link.external_attr = 0o120777 << 16
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(link, "/etc/passwd")
    zenodo.files[ARCHIVE] = buffer.getvalue()
    with pytest.raises(DatasetError, match="outside the folder"):
        fetch()


@pytest.mark.parametrize("damage", ["no archive", "wrong bytes inside"])
def test_a_damaged_archive_leaves_nothing_unpacked(fetch, zenodo, tmp_path, damage):
    data = bytearray(zenodo.files[ARCHIVE])
    if damage == "no archive":
        data = bytearray(b"not a zip" * 100)
    else:
        data[len(data) // 2] ^= 255
    zenodo.files[ARCHIVE] = bytes(data)
    with pytest.raises(DatasetError, match="damaged and cannot be unpacked"):
        fetch()
    assert sorted(path.name for path in (tmp_path / "hc18").iterdir()) == [ARCHIVE]


@pytest.mark.parametrize("what", [f"downloading {ARCHIVE}", f"unpacking {ARCHIVE}"])
def test_cancelled_half_way_it_goes_on_from_there(fetch, zenodo, what):
    zenodo.files[ARCHIVE] = zipped({f"training_set/{n:03d}_HC.png": picture(n) for n in range(6)})

    def stop(title, share):
        if title == what and share > 0.2:
            raise Cancelled("Stopped.")

    zenodo.faults = ["cut"]
    with pytest.raises(Cancelled):
        fetch(progress=stop)
    assert_complete(fetch())


def test_interrupted_with_control_c_the_same_command_goes_on(zenodo, tmp_path):
    """As a real process: what has arrived stays, one line is said, and the next call asks for the rest."""
    out = tmp_path / "hc18"
    command = [sys.executable, "-m", "core", "datasets", "download", "hc18", "--out", out, "--server", zenodo.address]
    zenodo.faults = ["stall"]
    process = subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # background jobs inherit that it is ignored
    )
    part = part_of(out, zenodo)
    deadline = time.monotonic() + 30
    while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.strip().splitlines() == ["Stopped."]
    arrived = part.stat().st_size
    assert 0 < arrived < len(zenodo.files[ARCHIVE])
    assert cli.main([str(word) for word in command[3:]]) == 0
    assert zenodo.asked(ARCHIVE)[-1] == f"bytes={arrived}-"
    assert_complete(out)


def test_the_command_says_where_it_is(zenodo, tmp_path, capsys):
    arguments = ["datasets", "download", "hc18", "--server", zenodo.address]
    assert cli.main([*arguments, "--out", str(tmp_path / "new" / "hc18")]) == 0
    assert str(tmp_path / "new" / "hc18") in capsys.readouterr().out
    assert_complete(tmp_path / "new" / "hc18")
    (tmp_path / "file").touch()
    assert cli.main([*arguments, "--out", str(tmp_path / "file")]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
