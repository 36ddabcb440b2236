"""PlaneLab's core: everything that computes. It imports no Streamlit (but for ``cache.py``)."""
