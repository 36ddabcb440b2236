"""Nothing that identifies leaves a DICOM file for a page: what is drawn, linked, downloaded or logged is searched."""

import io
import logging
import re
import tempfile
import time
import zipfile

import numpy as np
import pytest
import streamlit as st

from core import cache
from core.images import encode_png
from core.zoo import read_card

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:pydicom", "ignore::UserWarning:core")


@pytest.fixture
def models(tmp_path_factory, write_tiny_model, head_models, use_models):
    """A tiny model of planes, one of corruption and two of heads, installed and loaded."""
    folder = tmp_path_factory.mktemp("models")
    write_tiny_model(folder / "tiny_plane", "plane", ["BPD", "CRL", "NT"], "plane")
    write_tiny_model(folder / "tiny_detector", "corruption", ["original", "blur", "noise"], "detector")
    for name in ("tiny_head", "tiny_outline"):
        (folder / name).symlink_to(head_models / name)
    use_models(folder)
    for name in ("tiny_plane", "tiny_detector", "tiny_head", "tiny_outline"):
        cache.start_loading(read_card(name, folder)).result()


@pytest.fixture
def searched(identified_dicom, caplog, tmp_path, monkeypatch):
    """``searched(app)`` raises where a page, its link, its pictures, its downloads, logs or files tell anything."""
    caplog.set_level(logging.DEBUG)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    downloads, pictures = {}, []
    image = st.delta_generator.DeltaGenerator.image

    def downloaded(label, data, file_name=None, **_):
        downloads[file_name] = data() if callable(data) else data

    def drawn(self, content, *arguments, **options):
        pictures.append(content if isinstance(content, (bytes, str)) else encode_png(np.asarray(content)))
        return image(self, content, *arguments, **options)

    monkeypatch.setattr(st, "download_button", downloaded)
    monkeypatch.setattr(st.delta_generator.DeltaGenerator, "image", drawn)

    def search(app):
        assert not app.exception
        # The browser's own list of chosen files is left out: whoever chose them sees their names there.
        tree = re.sub(r"FileUploader\(.*?\)", "", str(app.main))
        written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
        for content in (tree, str(dict(app.query_params)), caplog.text, *pictures, *written):
            assert identified_dicom.found_in(content) == set()
        for name, data in downloads.items():
            assert identified_dicom.found_in(name) == set()
            for content in members(data):
                assert identified_dicom.found_in(content) == set(), name
        return downloads

    # What was shown before anything was uploaded is none of its business.
    search.forget = lambda: (downloads.clear(), pictures.clear())
    return search


def members(data):
    """A download's content, that of a ZIP unpacked."""
    data = data.encode() if isinstance(data, str) else data
    if not data.startswith(b"PK"):
        return [data]
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [*map(str.encode, archive.namelist()), *map(archive.read, archive.namelist())]


@pytest.mark.parametrize("page", ["prediction", "head_circumference", "preprocessing"])
def test_an_uploaded_loop(open_page, models, searched, identified_dicom, page):
    app = open_page(page)
    searched.forget()
    app.file_uploader(key="uploader").upload(f"{identified_dicom.name}.dcm", identified_dicom.data).run()
    searched(app)
    app.slider(key="frame").set_value(2).run()
    searched(app)
    assert "upload-" in str(app.query_params["image"])
    app.file_uploader(key="uploader").upload("Erika.dcm", identified_dicom.data[:-500]).run()
    assert "cut short" in app.error[0].value
    searched(app)


def test_screened_loops(open_page, models, searched, identified_dicom):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr(f"{identified_dicom.name}/Erika", identified_dicom.data)
    app = open_page("screening", limits_dark="0,0", limits_corruption="0,0", limits_confidence="0,0")
    uploader = app.file_uploader(key="screening_files")
    uploader.upload(f"{identified_dicom.name}.dcm", identified_dicom.data)
    uploader.upload("Erika cut.dcm", identified_dicom.data[:-500])
    uploader.upload("Mustermann.zip", packed.getvalue()).run()
    searched(app)
    next(button for button in app.button if button.label.startswith("Screen ")).click().run()
    deadline = time.monotonic() + 60
    while not all(job.done for job in app.session_state["background_jobs"].values()) and time.monotonic() < deadline:
        time.sleep(0.05)
    downloads = searched(app.run())
    assert {"screening.csv", "screening.jsonl", "screening.md", "screening.json", "kept.zip"} <= set(downloads)
    assert bytes(downloads["screening.csv"]).count(b"DICOM") >= 5
