"""preprocess/common/download.py: against a real server on this machine."""

import hashlib
import random
import threading

import pytest
from fairseq_seqgan.preprocess.common import download as module
from fairseq_seqgan.preprocess.common.download import Expected, download
from helpers.raw_data import FILES, script, web

from fairseq_seqgan.support.errors import InputError

CONTENT = random.Random(0).randbytes(300_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()
KNOWN = Expected(SHA256, len(CONTENT))
HTML = b"\n<!DOCTYPE html>\n<html><body>Please log in</body></html>"


@pytest.fixture
def server():
    with web() as state:
        state.files["/raw/data.bin"] = CONTENT
        state.headers["ETag"] = '"v1"'
        yield state


@pytest.fixture
def url(server):
    return server.url + "/raw/data.bin"


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch):
    monkeypatch.setattr(module, "_PAUSES", (0.0, 0.0, 0.0))


def left(folder):
    """Return the names of what is kept, but for the lock."""
    return sorted(p.name for p in folder.iterdir() if not p.name.endswith(".lock"))


def test_downloads_with_progress_and_keeps_nothing_else(url, tmp_path, capsys):
    path = download(url, tmp_path / "new" / "cache", KNOWN)
    assert path.read_bytes() == CONTENT
    assert path.name.endswith("-data.bin")
    assert left(path.parent) == [path.name]
    shown = capsys.readouterr().err
    assert "data.bin" in shown and "100%" in shown


def test_what_is_there_is_not_downloaded_again(server, url, tmp_path):
    path = download(url, tmp_path, KNOWN)
    assert download(url, tmp_path, KNOWN) == path
    assert download(url, tmp_path) == path
    assert len(server.requests) == 1


def test_what_was_damaged_since_is_downloaded_again(server, url, tmp_path):
    path = download(url, tmp_path, KNOWN)
    path.write_bytes(CONTENT[:-1] + b"x")
    assert download(url, tmp_path, KNOWN).read_bytes() == CONTENT
    assert len(server.requests) == 2


def test_same_name_at_another_address_is_another_file(server, url, tmp_path):
    server.files["/other/data.bin"] = b"other"
    assert download(url, tmp_path) != download(server.url + "/other/data.bin", tmp_path)


@pytest.mark.parametrize("header", ["ETag", "Last-Modified"])
def test_broken_transfer_is_resumed(header, server, url, tmp_path):
    server.headers.clear()
    server.headers[header] = "Tue, 01 Jan 2019 00:00:00 GMT"
    server.cuts += [81_920, 40_960]
    assert download(url, tmp_path, KNOWN).read_bytes() == CONTENT
    assert [request.range for request in server.requests] == [
        None,
        "bytes=81920-",
        "bytes=122880-",
    ]


def test_later_call_resumes_what_an_earlier_one_had_to_give_up(server, url, tmp_path):
    server.cuts += [81_920, 0, 0, 0, 0]
    with pytest.raises(InputError, match=r"broke off 4 times .*81,920 bytes are there"):
        download(url, tmp_path, KNOWN)
    name = left(tmp_path)[0]
    assert left(tmp_path) == [name, name + ".json"] and name.endswith("-data.bin.part")
    before = len(server.requests)
    assert download(url, tmp_path, KNOWN).read_bytes() == CONTENT
    assert [request.range for request in server.requests[before:]] == ["bytes=81920-"]


@pytest.mark.parametrize("tag", [None, 'W/"weak"'])
def test_without_a_strong_validator_it_begins_anew(tag, server, url, tmp_path):
    server.headers.clear()
    if tag:
        server.headers["ETag"] = tag
    server.cuts += [81_920]
    assert download(url, tmp_path).read_bytes() == CONTENT
    assert [request.range for request in server.requests] == [None, None]


def test_server_without_ranges_begins_anew(server, url, tmp_path):
    server.abilities.remove("ranges")
    server.cuts += [81_920]
    assert download(url, tmp_path).read_bytes() == CONTENT


@pytest.mark.parametrize("careless", [False, True])
def test_file_that_changed_in_between_is_not_mixed(careless, server, url, tmp_path):
    """A careless server sends the rest of the new file, though it was asked not to."""
    server.abilities.update({"careless"} if careless else ())
    server.cuts += [81_920, 0, 0, 0, 0]
    with pytest.raises(InputError, match="broke off"):
        download(url, tmp_path)
    other = CONTENT[::-1]
    server.files["/raw/data.bin"] = other
    server.headers["ETag"] = '"v2"'
    assert download(url, tmp_path).read_bytes() == other


def test_change_that_the_server_hides_is_found_by_the_checksum(server, url, tmp_path):
    other = CONTENT[::-1]
    server.files["/raw/data.bin"] = other
    server.cuts += [81_920, 0, 0, 0, 0]
    with pytest.raises(InputError, match="broke off"):
        download(url, tmp_path, KNOWN)
    server.files["/raw/data.bin"] = CONTENT
    assert download(url, tmp_path, KNOWN).read_bytes() == CONTENT
    assert [request.range for request in server.requests[-2:]] == ["bytes=81920-", None]


def test_piece_longer_than_the_file_is_thrown_away(server, url, tmp_path):
    server.cuts += [81_920, 0, 0, 0, 0]
    with pytest.raises(InputError, match="broke off"):
        download(url, tmp_path)
    server.files["/raw/data.bin"] = b"short"
    assert download(url, tmp_path).read_bytes() == b"short"


def test_wrong_checksum_keeps_nothing(server, url, tmp_path):
    with pytest.raises(InputError, match=rf"its sha256 is {SHA256}, not 0000"):
        download(url, tmp_path, Expected("0" * 64))
    assert left(tmp_path) == []
    assert len(server.requests) == 1


@pytest.mark.parametrize("abilities", [{"length"}, set()])
@pytest.mark.parametrize("size", [299_999, 300_001])
def test_wrong_size_keeps_nothing(size, abilities, server, url, tmp_path):
    server.abilities.intersection_update(abilities)
    with pytest.raises(InputError, match=f"{size:,}"):
        download(url, tmp_path, Expected(None, size))
    assert [name for name in left(tmp_path) if not name.endswith((".part", ".json"))] == []


def test_no_more_is_downloaded_than_is_reasonable(url, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    with pytest.raises(InputError, match="300,000 bytes; the most that is downloaded is 1,000"):
        download(url, tmp_path)


def test_endless_body_is_cut(server, url, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "MAX_BYTES", 1000)
    server.abilities.clear()
    with pytest.raises(InputError, match="sends more than 1,000 bytes"):
        download(url, tmp_path)


@pytest.mark.parametrize(
    ("content", "kind"),
    [(HTML, "text/html; charset=utf-8"), (HTML, "text/plain"), (b"Please log in", "text/html")],
)
def test_web_page_is_refused(content, kind, server, url, tmp_path):
    server.files["/raw/data.bin"] = content
    server.headers["Content-Type"] = kind
    with pytest.raises(InputError, match="an HTML page, not the data"):
        download(url, tmp_path)
    assert left(tmp_path) == []


def test_empty_file_is_refused(server, url, tmp_path):
    server.files["/raw/data.bin"] = b""
    with pytest.raises(InputError, match="is empty"):
        download(url, tmp_path)


def test_errors_of_the_server(server, url, tmp_path):
    with pytest.raises(InputError, match="the server answered 404 Not Found"):
        download(server.url + "/missing", tmp_path)
    server.statuses += [503, 429]
    assert download(url, tmp_path).read_bytes() == CONTENT
    server.statuses += [503] * 4
    with pytest.raises(InputError, match=r"broke off 4 times .*503 Service Unavailable"):
        download(url + "?again", tmp_path)


@pytest.mark.parametrize(
    "address", ["http://127.0.0.1:9/x", "http://[::1", "http://", "http://a b.invalid/x"]
)
def test_addresses_that_lead_nowhere(address, tmp_path):
    with pytest.raises(InputError) as caught:
        download(address, tmp_path)
    assert address in str(caught.value) and "\n" not in str(caught.value)


def test_folder_that_is_a_file(url, tmp_path):
    (tmp_path / "cache").write_text("mine")
    with pytest.raises(InputError, match=r"cache: File exists"):
        download(url, tmp_path / "cache")
    assert (tmp_path / "cache").read_text() == "mine"


def test_two_at_once_do_not_disturb_each_other(server, url, tmp_path):
    found = []
    threads = [
        threading.Thread(target=lambda: found.append(download(url, tmp_path, KNOWN)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [path.read_bytes() for path in found] == [CONTENT] * 4
    assert len(server.requests) == 1


# --- the command


def test_command_downloads_and_names_the_address(server, tmp_path):
    lines = [
        f"{chr(0x4E00 + i) * 5}\t{'山水人家国'}\t{'风花雪月天'}\t{'春夏秋冬日'}" for i in range(90)
    ]
    content = "\n".join(lines).encode()
    server.files["/poems.txt"] = content
    server.cuts += [1000]
    options = ["--source", server.url + "/poems.txt", "--dest", "d", "--download-dir", "raw"]
    options += ["--sha256", hashlib.sha256(content).hexdigest().upper()]
    result = script("poems", tmp_path / "logs", *options, cwd=tmp_path).check()
    assert "100%" in result.stderr
    assert "Downloading data" not in result.stderr  # from the log of pooch
    assert {path.name for path in (tmp_path / "d").iterdir()} == FILES
    assert f'"source": "{server.url}/poems.txt"' in (tmp_path / "d" / "stats.json").read_text()


def test_failed_download_is_one_line_and_leaves_no_destination(server, tmp_path):
    server.files["/poems.txt"] = HTML
    options = ["--source", server.url + "/poems.txt", "--dest", "d", "--download-dir", "raw"]
    result = script("poems", tmp_path / "logs", *options, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.splitlines()[-1].startswith(f"error: {server.url}/poems.txt: an HTML page")
    assert "Traceback" not in result.stderr
    assert {path.name for path in tmp_path.iterdir()} == {"logs", "raw"}
