"""What is listed and read, and what must not be."""

import io
import stat
import zipfile

import pytest

from core.errors import DatasetError, ImageError
from core.screening.sources import FolderSource, Uploads, ZipSource, may_be_frame, open_source

PNG = b"\x89PNG\r\n\x1a\n" + bytes(100)


def write_zip(path, members, **options):
    with zipfile.ZipFile(path, "w", **options) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return path


def names(source):
    return [entry.name for entry in source.entries()]


def problems(source):
    return {entry.name: entry.problem for entry in source.entries() if entry.problem}


def test_a_folder_is_listed_by_name_with_its_subfolders(archive):
    (archive / ".hidden").mkdir()
    (archive / ".hidden" / "x.png").write_bytes(PNG)
    source = open_source(archive)
    listed = names(source)
    assert listed == sorted(listed)
    assert "first/03.png" in listed
    assert "second/copy.png" in listed
    assert len(listed) == 24
    assert source.left_out == 1
    assert source.read("first/03.png") == (archive / "first" / "03.png").read_bytes()


def test_a_link_is_followed_inside_the_folder_and_nowhere_else(archive, tmp_path):
    outside = tmp_path / "secret.png"
    outside.write_bytes(PNG)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "more.png").write_bytes(PNG)
    (archive / "out.png").symlink_to(outside)
    (archive / "in.png").symlink_to(archive / "first" / "03.png")
    (archive / "folder").symlink_to(tmp_path / "elsewhere")
    (archive / "gone.png").symlink_to(archive / "nothing.png")
    source = FolderSource(archive)
    assert "leaves the folder" in problems(source)["out.png"]
    assert "cannot be opened" in problems(source)["gone.png"]
    assert "in.png" not in problems(source)
    assert not [name for name in names(source) if "more.png" in name]


def test_a_file_without_an_extension_counts_where_it_is_dicom(tmp_path, dicom_loop):
    (tmp_path / "IM_0001").write_bytes(dicom_loop)
    (tmp_path / "1.2.840.7").write_bytes(dicom_loop)
    (tmp_path / "README").write_text("words")
    assert names(FolderSource(tmp_path)) == ["1.2.840.7", "IM_0001"]
    assert not may_be_frame("table.csv")


def test_a_name_that_is_no_text_is_a_problem(tmp_path):
    (tmp_path / "caf\udce9.png").write_bytes(PNG)
    (entry,) = FolderSource(tmp_path).entries()
    assert entry.name == "caf\\udce9.png"
    assert "no text" in entry.problem


def test_a_stamp_tells_a_changed_file(archive):
    before = {entry.name: entry.stamp for entry in FolderSource(archive).entries()}
    (archive / "first" / "03.png").write_bytes(PNG)
    after = {entry.name: entry.stamp for entry in FolderSource(archive).entries()}
    assert [name for name in after if after[name] != before[name]] == ["first/03.png"]


def test_a_file_that_is_gone_or_too_large_is_a_sentence(archive):
    source = FolderSource(archive)
    with pytest.raises(ImageError, match="cannot be opened"):
        source.read("first/none.png")
    with (archive / "large.png").open("wb") as file:
        file.truncate(21 * 2**20)
    with pytest.raises(ImageError, match="larger than 20 MB"):
        source.read("large.png")
    with pytest.raises(DatasetError, match="no folder"):
        open_source(archive / "nowhere")


def test_a_zip_is_read_member_by_member(tmp_path, archive):
    members = [(f"a/{path.name}", path.read_bytes()) for path in sorted((archive / "first").iterdir())]
    path = write_zip(tmp_path / "all.zip", [*members, ("list.csv", "x"), ("__MACOSX/a/._00.png", "x")])
    source = open_source(path)
    assert names(source) == [name for name, _ in members]
    assert source.left_out == 2
    assert source.read("a/03.png") == (archive / "first" / "03.png").read_bytes()


def test_names_that_lead_out_of_a_zip_and_links_are_problems(tmp_path):
    link = zipfile.ZipInfo("link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    members = [("../up.png", PNG), ("/root.png", PNG), ("a/../../b.png", PNG), ("C:/x.png", PNG), (link, "/etc/passwd")]
    source = ZipSource(write_zip(tmp_path / "bad.zip", [*members, ("good.png", PNG)]))
    found = problems(source)
    assert set(found) == {"../up.png", "/root.png", "a/../../b.png", "C:/x.png", "link.png"}
    assert "leads out" in found["../up.png"]
    assert "link" in found["link.png"]


def test_a_bomb_is_refused_before_anything_is_unpacked(tmp_path):
    zeros = bytes(30 * 2**20)
    path = write_zip(
        tmp_path / "bomb.zip", [(f"{number}.bmp", zeros) for number in range(4)], compression=zipfile.ZIP_DEFLATED
    )
    assert path.stat().st_size < 2**20
    with pytest.raises(DatasetError, match="times its own size"):
        ZipSource(path)
    few = write_zip(tmp_path / "few.zip", [("0.bmp", zeros)], compression=zipfile.ZIP_DEFLATED)
    with pytest.raises(ImageError, match="larger than 20 MB"):
        ZipSource(few).read("0.bmp")


def test_a_damaged_member_is_a_sentence_and_the_others_are_read(tmp_path):
    path = write_zip(tmp_path / "a.zip", [("bad.png", PNG + b"x" * 500), ("good.png", PNG)])
    data = bytearray(path.read_bytes())
    data[200] ^= 0xFF
    path.write_bytes(data)
    source = ZipSource(path)
    with pytest.raises(ImageError, match="damaged within the ZIP"):
        source.read("bad.png")
    assert source.read("good.png") == PNG
    path.write_bytes(data[:100])
    with pytest.raises(DatasetError, match="cannot be read as a ZIP"):
        ZipSource(path)


def test_uploads_of_one_name_are_told_apart_and_zips_stand_for_their_members(dicom_loop):
    packed = io.BytesIO()
    write_zip(packed, [("in/a.png", PNG)])
    source = Uploads(
        [("a.png", PNG), ("a.png", PNG + b"2"), ("set.zip", packed.getvalue()), ("Erika Mustermann.dcm", dicom_loop)]
    )
    listed = names(source)
    assert "a (2).png" in listed
    assert "set.zip/in/a.png" in listed
    assert source.read("a (2).png") == PNG + b"2"
    assert source.read("set.zip/in/a.png") == PNG
    assert not [name for name in listed if "Erika" in name]
    assert len(listed) == 4
