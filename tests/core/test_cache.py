"""What is kept for everybody and what stays in its session."""

from streamlit.testing.v1 import AppTest

from core import cache
from core.library import EXAMPLE, open_sample
from core.preprocessing import clean


def visit():
    """One session that looks at a sample and at the same picture uploaded under another hash."""
    from core import cache
    from core.library import EXAMPLE
    from core.preprocessing import PreprocessingSettings

    frame = cache.named_image(EXAMPLE).frame
    settings = PreprocessingSettings(mask="none")
    for sha256 in (frame.sha256, "an upload"):
        for _ in range(2):
            cache.cleaned(sha256, frame.pixels, settings)


def test_a_samples_results_are_for_everybody_and_an_uploads_for_its_session(monkeypatch):
    seen = []
    cache._named_stores.clear()
    cache.named_image.clear()

    def counted(pixels, settings):
        seen.append(pixels.shape)
        return clean(pixels, settings)

    monkeypatch.setattr(cache, "clean", counted)
    for expected in (2, 3):
        assert not AppTest.from_function(visit, default_timeout=120).run().exception
        # The second session finds the sample cleaned, not the upload.
        assert len(seen) == expected
    hashes, results = cache._named_stores()
    assert open_sample(EXAMPLE).frame.sha256 in hashes
    assert "an upload" not in str(list(results._entries))
