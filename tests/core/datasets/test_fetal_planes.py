"""FETAL_PLANES_DB's list as published (a few of its rows, with its stray spaces) over tiny pictures."""

import pytest

from core.datasets import CLASSES, load, split_by_patient
from core.errors import DatasetError

HEADER = "Image_name;Patient_num;Plane;Brain_plane;Operator;US_Machine;Train "
ROWS = """\
Patient00001_Plane1_1_of_15;1;Other;Not A Brain;Other;Aloka;1 
Patient01792_Plane2_1_of_1;1792;Fetal abdomen;Not A Brain;Other;Voluson E6;0 
Patient01792_Plane3_1_of_1;1792;Fetal brain;Trans-thalamic;Other;Voluson E6;0 
Patient01792_Plane5_1_of_1;1792;Fetal femur;Not A Brain;Other;Voluson E6;0 
Patient01792_Plane6_1_of_1;1792;Fetal thorax;Not A Brain;Other;Voluson E6;0 
Patient00168_Plane3_1_of_3;168;Fetal brain;Trans-cerebellum;Op. 1;Voluson E6;1 
Patient00002_Plane4_1_of_2;2;Maternal cervix;Not A Brain;Op. 2;Aloka;1 
""".splitlines()
TABLE = "FETAL_PLANES_DB_data.csv"


@pytest.fixture
def published(write_image):
    """``published(folder, rows)`` writes the list and a picture for every row but those to be missing."""

    def write(folder, rows=ROWS, missing=(), header=HEADER):
        for row in rows:
            name = row.split(";")[0]
            if name not in missing:
                write_image(folder / "Images" / f"{name}.png")
        (folder / TABLE).write_bytes("\r\n".join([header, *rows, ""]).encode())
        return folder

    return write


def test_every_row_becomes_ours_with_the_published_split(published, tmp_path):
    table = load(published(tmp_path))
    assert table.layout == "fetal-planes"
    assert not table.simulated
    assert table.problems == ()
    rows = table.frame.set_index("path")
    assert rows["label"].tolist() == ["other", "abdomen", "brain", "femur", "thorax", "brain", "maternal cervix"]
    assert rows["split"].tolist() == ["train", "test", "test", "test", "test", "train", "train"]
    assert rows["patient"].nunique() == 4
    brain = rows.loc[str(tmp_path / "Images" / "Patient00168_Plane3_1_of_3.png")]
    assert brain[["plane", "brain_plane", "operator", "machine"]].tolist() == [
        "Fetal brain",
        "Trans-cerebellum",
        "Op. 1",
        "Voluson E6",
    ]


def test_the_archives_own_folder_is_found(published, tmp_path):
    published(tmp_path / "FETAL_PLANES_ZENODO")
    assert load(tmp_path).layout == "fetal-planes"


def test_a_task_takes_its_classes_and_says_what_it_leaves(published, tmp_path):
    table = load(published(tmp_path), classes=CLASSES["anatomy"])
    assert table.labels == sorted(CLASSES["anatomy"])
    (problem,) = table.problems
    assert problem.endswith(": 1 maternal cervix, 1 other.")
    assert load(tmp_path, classes=["other", "maternal cervix"]).labels == ["maternal cervix", "other"]


def test_missing_images_and_unknown_planes_are_named(published, tmp_path):
    rows = [*ROWS, "Patient01792_Plane7_1_of_1;1792;Fetal spleen;Not A Brain;Other;Voluson E6;0 "]
    table = load(published(tmp_path, rows, missing=["Patient01792_Plane5_1_of_1"]))
    assert len(table) == 6
    assert {problem.kind: problem.names for problem in table.problems} == {
        "unknown label": ("Fetal spleen",),
        "missing file": ("Patient01792_Plane5_1_of_1.png",),
    }


def test_validation_is_taken_from_the_training_patients(published, tmp_path):
    rows = [f"Patient{n:05d}_Plane3_1_of_1;{n};Fetal brain;Other;Op. 1;Aloka;{int(n < 20)} " for n in range(40)]
    split = split_by_patient(load(published(tmp_path, rows)), validation=0.2).frame
    numbers = split["patient"].str.removeprefix("patient ").astype(int)
    assert (split["split"] == "test").tolist() == (numbers >= 20).tolist()
    assert (split["split"] == "validation").sum() == 4


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("Train ", "Trian "), "lacks the column 'Train'"),
        ((";1 ", ";yes "), "'yes' in its column 'Train'"),
        ((";1792;", ";last;"), "'last' in the column 'Patient_num' of line 3"),
    ],
)
def test_another_list_is_refused_with_the_reason(published, tmp_path, change, message):
    published(tmp_path)
    text = (tmp_path / TABLE).read_text()
    (tmp_path / TABLE).write_text(text.replace(*change))
    with pytest.raises(DatasetError, match=message):
        load(tmp_path)


def test_one_patient_on_both_sides_is_refused(published, tmp_path):
    published(tmp_path, [*ROWS, "Patient01792_Plane3_2_of_2;1792;Fetal brain;Other;Other;Voluson E6;1 "])
    with pytest.raises(DatasetError, match="patient 1792"):
        load(tmp_path)


def test_a_list_that_is_no_text_is_refused(published, tmp_path):
    published(tmp_path)
    (tmp_path / TABLE).write_bytes(b"\xff\xfe\x00PK\x03\x04" * 50)
    with pytest.raises(DatasetError, match="as published"):
        load(tmp_path)
