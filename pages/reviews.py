"""A tutor or doctor reads images, blind first, and judges what the model made of them."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st

from core import cache
from core.errors import DatabaseError, ReviewError
from core.reviews import CAUSES, MISCLASSIFIED, NONE_OF_THEM, QUEUES, Review, ReviewStore, first_reading, newest
from core.reviews.agreement import agreement_table, beside_model, cause_table, readers_of, without_invalid
from core.reviews.exchange import COLUMNS, from_csv, to_csv
from core.reviews.queues import queue_of, reviewable
from core.reviews.review import LONGEST_COMMENT, LONGEST_READER, tidy_name
from core.zoo import Card
from core.zoo.assessment import Assessment
from pages.components import link
from pages.components.link import linked, linked_choice, number_in, one_of
from pages.components.model_picker import CLASSIFICATION, pick_model
from pages.components.pictures import picture
from pages.components.state import DATA, QUEUE, QUEUE_LENGTH, QUEUE_POSITION, QUEUE_SEED, READER
from pages.components.tables import table
from pages.components.text import plain

DEFAULT_LENGTH = 50
LARGEST_SEED = 2**31 - 1
LONGEST_QUEUE = 1_000_000
LAST_READ = "reviews_read_last"
VALIDITY = {"yes": True, "no": False}
WHY_RANDOM = (
    "Only images met in the random sample count here. The other queue holds nothing but errors: leaving out those that "
    "are not valid could only raise the accuracy, whatever the reader says."
)


def known_reviews(store: ReviewStore) -> list[Review]:
    """All reviews. While the database is away those read last: without its form the page would lose what is typed."""
    try:
        st.session_state[LAST_READ] = store.all()
    except DatabaseError as error:
        if LAST_READ not in st.session_state:
            raise
        st.error(f"{error} What you have typed stays here.", icon=":material/error:")
    return st.session_state[LAST_READ]


def go_to(position: int) -> None:
    """Show another image of the queue. To be used as a callback, or before the page is drawn anew."""
    st.session_state[QUEUE_POSITION] = position


def pick_queue(assessment: Assessment) -> tuple[str, pd.DataFrame]:
    """The queue chosen and its images."""
    queue = linked_choice("Queue", QUEUES, key=QUEUE, default=MISCLASSIFIED, on_change=go_to, args=(1,))
    if queue == MISCLASSIFIED:
        return queue, queue_of(assessment, queue)
    most = len(reviewable(assessment))
    n = linked(
        st.number_input,
        "Images",
        1,
        most,
        key=QUEUE_LENGTH,
        default=min(DEFAULT_LENGTH, most),
        parse=number_in(1, most),
        help="A larger sample goes on where a smaller one of the same seed ends.",
        width=140,
    )
    seed = linked(
        st.number_input,
        "Seed",
        0,
        LARGEST_SEED,
        key=QUEUE_SEED,
        default=0,
        parse=number_in(0, LARGEST_SEED),
        help="Two readers who are to be compared need the same one.",
        width=140,
    )
    # Only the browser enforces a box's ends.
    return queue, queue_of(assessment, queue, seed=min(max(int(seed), 0), LARGEST_SEED), n=max(int(n), 1))


def pick_position(open_ones: Sequence[int], length: int) -> int:
    """Which image of the queue is shown, from 1; with the buttons that lead to others."""
    link.restore(QUEUE_POSITION, 1, number_in(1, LONGEST_QUEUE))
    position = min(st.session_state[QUEUE_POSITION], length)
    st.progress(1 - len(open_ones) / length, text=f"{length - len(open_ones)} of {length} images judged by you")
    following = next_open(open_ones, position)
    steps = (
        ("Previous", ":material/arrow_back:", "Left", position - 1, position > 1),
        ("Next", ":material/arrow_forward:", "Right", position + 1, position < length),
        ("Next open one", ":material/skip_next:", "N", following, following not in (None, position)),
    )
    with st.container(horizontal=True, vertical_alignment="center"):
        for title, icon, shortcut, target, possible in steps:
            st.button(title, icon=icon, shortcut=shortcut, on_click=go_to, args=(target,), disabled=not possible)
        st.markdown(f"Image {position} of {length}")
    link.store(QUEUE_POSITION, position, 1)
    return position


def next_open(open_ones: Sequence[int], position: int) -> int | None:
    """The next image without a verdict after this one, from the start again at the end; None where all have one."""
    return next((one for one in open_ones if one > position), open_ones[0] if open_ones else None)


def ask_reading(store: ReviewStore, known: dict[str, Any], classes: Sequence[str]) -> None:
    """The reader's own label, before anything else is shown; it is kept at once."""
    st.subheader("What do you see?")
    st.caption("Your answer is kept before the label and the network's answer appear, and is not asked again.")
    for number, name in enumerate([*classes, NONE_OF_THEM], start=1):
        shortcut = str(number) if number <= 9 else None
        if st.button(name.capitalize() if name == NONE_OF_THEM else name, key=f"read_{name}", shortcut=shortcut):
            store.append(Review(**known, reading=name))
            st.rerun()


def ask_verdict(known: dict[str, Any], row: dict[str, Any], classes: Sequence[str], last: Review) -> Review | None:
    """What the model said, and the form for judging it; the review to be kept once it is sent."""
    verdict = "agrees" if row["predicted"] == row["label"] else "disagrees"
    st.subheader(f"The network {verdict} with the label")
    st.markdown(
        f"You read **{known['reading']}**. The image's label is **{row['label']}**, and the network said "
        f"**{row['predicted']}** with {100 * float(row['p_' + row['predicted']]):.1f} %."
    )
    answers = [*classes, NONE_OF_THEM]
    name = f"{known['image_id']}_{known['reader']}"
    with st.form(f"verdict_{name}", border=False):
        right_label = st.segmented_control(
            "Which label is right?",
            answers,
            default=last.right_label if last.right_label in answers else row["label"],
            required=True,
            key=f"right_{name}",
            help="Choose another than the image's own where that one is wrong.",
        )
        valid = st.segmented_control(
            "Is the plane valid for measurement?",
            list(VALIDITY),
            default=next((word for word, value in VALIDITY.items() if value is last.valid), None),
            key=f"valid_{name}",
        )
        causes = st.pills(
            "Cause of the error, if there is one",
            list(CAUSES),
            format_func=lambda cause: CAUSES.get(cause, cause),
            default=list(last.causes),
            selection_mode="multi",
            key=f"causes_{name}",
            help="Those that the interpretability thesis names (§4.4); as many as fit.",
        )
        comment = st.text_area("Comment", last.comment, max_chars=LONGEST_COMMENT, key=f"comment_{name}", height=90)
        sent = st.form_submit_button("Save and go on", type="primary", icon=":material/save:", shortcut="Mod+Enter")
    if last.is_complete:
        st.caption(f"You judged this image on {last.made_at:%d %b %Y at %H:%M} UTC; saving again adds a newer review.")
    if sent and valid not in VALIDITY:
        st.warning("Say whether the plane is valid for measurement, and save again.", icon=":material/touch_app:")
        return None
    if not sent:
        return None
    return Review(
        **known, right_label=right_label or row["label"], valid=VALIDITY[valid], causes=tuple(causes), comment=comment
    )


def read_queue(
    store: ReviewStore, reviews: list[Review], card: Card, data: str, reader: str, queue: str, rows: pd.DataFrame
) -> None:
    """One image of the queue after another."""
    own = {one.image_id: one for one in newest(reviews) if one.reader == reader and one.model == card.name}
    # An image judged in the other queue is still to be met in the random sample: figures count it there only then.
    met = {one.image_id for one in reviews if one.reader == reader and one.model == card.name and one.queue == queue}
    is_open = [
        image_id not in met or image_id not in own or not own[image_id].is_complete for image_id in rows["image_id"]
    ]
    open_ones = [number for number, waits in enumerate(is_open, start=1) if waits]
    position = pick_position(open_ones, len(rows))
    row = rows.iloc[position - 1].to_dict()
    image_id = row["image_id"]
    left, right = st.columns([3, 2])
    with left:
        # Neither its name nor its title: both say what it shows.
        picture(cache.named_image(image_id).frame.pixels, alt=f"Image {position} of the queue")
    known = {
        "reader": reader,
        "model": card.name,
        "data": data,
        "image_id": image_id,
        "label": row["label"],
        "predicted": row["predicted"],
        "queue": queue,
    }
    with right:
        reading = first_reading(reviews, reader, image_id, card.classes)
        if reading is None:
            ask_reading(store, known, card.classes)
            return
        known["reading"] = reading
        made = ask_verdict(known, row, card.classes, own.get(image_id) or Review(**known))
    if made is not None:
        store.append(made)
        go_to(next_open([one for one in open_ones if one != position], position) or position)
        st.rerun()


def show_figures(reviews: list[Review], assessment: Assessment, name: str) -> None:
    """Readers beside the model and beside each other, over the reviews of one data set."""
    kind = "simulated" if assessment.simulated else "real"
    st.subheader("Readers beside the model")
    st.caption(
        f"{kind.capitalize()} images. Blind labels of each reader and answers of the model, both against the images' "
        "labels and on the same images; 95 % intervals by patient in brackets. Of images met among errors alone the "
        "model has none right: that is how they were chosen."
    )
    table(beside_model(reviews, assessment), "Readers beside the model", f"{name}_readers")
    st.subheader("The model without planes that are not valid")
    st.caption(f"{WHY_RANDOM} {kind.capitalize()} images; 95 % intervals by patient in brackets.")
    kept = without_invalid(reviews, assessment)
    if kept.empty:
        st.info("Nobody has judged an image of the random sample yet.", icon=":material/casino:")
    else:
        table(kept, "Accuracy with and without images that are not valid", f"{name}_valid")
    st.subheader("Agreement of two readers")
    readers = readers_of(reviews)
    if len(readers) < 2:
        st.info("Agreement needs the reviews of two readers.", icon=":material/group:")
    else:
        with st.container(horizontal=True):
            first = st.selectbox("First reader", readers, key="first_reader")
            second = st.selectbox("Second reader", [one for one in readers if one != first], key="second_reader")
        table(agreement_table(reviews, first, second, assessment), "Agreement of two readers", f"{name}_agreement")
        st.caption(
            "Cohen's kappa: 1 is full agreement, 0 what chance gives; empty where all answers are the same. Its from "
            "and to are the ends of a 95 % interval by patient."
        )
    causes = cause_table(reviews)
    if not causes.empty:
        st.subheader("Causes marked")
        table(causes, "Causes by true and predicted class", f"{name}_causes")


def show_exchange(store: ReviewStore, reviews: list[Review]) -> None:
    """All reviews of all models, as a table and as a file, and those of others taken in."""
    with st.expander(f"All reviews of all models ({len(reviews)}), export and import", icon=":material/table:"):
        st.caption("The table names labels and answers: open it when you have read your queue.")
        st.dataframe(
            pd.DataFrame([[getattr(one, name) for name in COLUMNS] for one in reversed(reviews)], columns=COLUMNS),
            hide_index=True,
            placeholder="–",
            alt="All reviews, the latest first",
        )
        st.download_button(
            "Export all (CSV)", to_csv(reviews), file_name="reviews.csv", mime="text/csv", icon=":material/download:"
        )
        file = st.file_uploader(
            "Import a file that was exported here or elsewhere", type=["csv"], key="reviews_file", max_upload_size=20
        )
        if file is not None and st.button("Import", icon=":material/upload:"):
            try:
                classes = {card.name: card.classes for card in cache.described_cards()}
                added = store.extend(from_csv(file.getvalue(), classes))
            except ReviewError as error:
                # The sentence quotes cells of somebody's file.
                st.error(plain(str(error)), icon=":material/error:")
            else:
                st.session_state["imported"] = f"{added} reviews were imported; those that were here already stayed."
                st.rerun()
        if "imported" in st.session_state:
            st.success(st.session_state.pop("imported"), icon=":material/check_circle:")


link.begin_with_app()
st.title("Reviews")
st.markdown("Enter your name, choose a queue and say what each image shows; the network's answer appears after yours.")
with st.container(border=True):
    card = pick_model(CLASSIFICATION, with_weights=False)
    assessments = {one.layout: one for one in cache.assessments(card) if len(reviewable(one))}
    if assessments:
        first_data = next(iter(assessments))
        data = linked(
            st.selectbox, "Data", list(assessments), key=DATA, default=first_data, parse=one_of(list(assessments))
        )
        data = data if data in assessments else first_data
        with st.container(horizontal=True, vertical_alignment="bottom"):
            reader = st.text_input(
                "Your name",
                key=READER,
                max_chars=LONGEST_READER,
                persist_state="session",
                help="Kept with your reviews. A link to this view does not carry it.",
                width=240,
            )
            queue, rows = pick_queue(assessments[data])

if not assessments:
    st.info(
        f"None of the images that the model {card.title} was evaluated on is part of PlaneLab. Run python -m core "
        f"evaluate --model {card.name} --data phantom:{','.join(card.classes)}:100:unseen --record NAME and reload "
        "this page.",
        icon=":material/rate_review:",
    )
else:
    store = cache.review_store()
    reviews = known_reviews(store)
    reader = tidy_name(reader or "")
    if not reader:
        st.info("Enter your name above to begin.", icon=":material/person:")
    elif rows.empty:
        st.info("The model made no error on these images; choose the random sample.", icon=":material/check_circle:")
    else:
        read_queue(store, reviews, card, data, reader, queue, rows)
    st.header("What the reviews say")
    about_these = [one for one in reviews if one.model == card.name and one.data == data]
    if about_these:
        show_figures(about_these, assessments[data], card.name)
    else:
        st.info("There is no review of this model's answers to these images yet.", icon=":material/rate_review:")
    show_exchange(store, reviews)
