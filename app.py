"""PlaneLab in the browser: ``streamlit run app.py``. Page config and navigation; everything else is in ``pages/``."""

from pathlib import Path

import streamlit as st

from pages.components.frame import page_frame

st.set_page_config(page_title="PlaneLab", page_icon=str(Path(__file__).parent / "docs/images/icon.png"), layout="wide")

page = st.navigation(
    [
        st.Page(
            "pages/laboratory.py",
            title="Laboratory",
            icon=":material/science:",
            default=True,
            help="The first screen: one image, one distortion, the prediction and where it flips.",
        ),
        st.Page(
            "pages/preprocessing.py",
            title="Preprocessing",
            icon=":material/auto_fix_high:",
            help="From the scanner's screen to what the network sees, stage by stage.",
        ),
        st.Page(
            "pages/augmentation.py",
            title="Augmentation",
            icon=":material/flip:",
            help="How training images are varied: what a network learns to overlook.",
        ),
        st.Page(
            "pages/corruption.py",
            title="Corruption",
            icon=":material/blur_on:",
            help="Distort an image and watch similarity and prediction; curves over a sample.",
        ),
        st.Page(
            "pages/sweeps.py",
            title="Sweeps",
            icon=":material/timeline:",
            help="Models under growing corruption over many images: curves, thresholds, beside the thesis's figures.",
        ),
        st.Page(
            "pages/prediction.py",
            title="Prediction",
            icon=":material/target:",
            help="Probabilities of one or many images, with entropy and a warning for unusual ones.",
        ),
        st.Page(
            "pages/screening.py",
            title="Screening",
            icon=":material/filter_alt:",
            help="Clean an archive: every frame kept, to be reviewed or discarded, with the reason.",
        ),
        st.Page(
            "pages/head_circumference.py",
            title="Head circumference",
            icon=":material/straighten:",
            help="How large is the head? Outline, circumference with its interval, gestational age, and the error.",
        ),
        st.Page(
            "pages/interpretability.py",
            title="Interpretability",
            icon=":material/visibility:",
            help="Where did the network look? Several methods side by side on one image.",
        ),
        st.Page(
            "pages/faithfulness.py",
            title="Faithfulness",
            icon=":material/fact_check:",
            help="Which explanation method tells the truth? Methods measured over many images.",
        ),
        st.Page(
            "pages/explanation_drift.py",
            title="Explanation drift",
            icon=":material/timeline:",
            help="Does a map change its mind before the network does, as an image gets worse?",
        ),
        st.Page(
            "pages/confusion_matrix.py",
            title="Confusion matrix",
            icon=":material/grid_on:",
            help="What a model gets wrong, down to each image.",
        ),
        st.Page(
            "pages/reviews.py",
            title="Reviews",
            icon=":material/rate_review:",
            help="Read images blind, judge what the model got wrong, and see how far readers agree.",
        ),
        st.Page(
            "pages/results.py",
            title="Results",
            icon=":material/query_stats:",
            help="Training, figures and calibration of every model, beside what the seeds published.",
        ),
    ],
    position="top",
)

with page_frame(page.url_path):
    page.run()
