"""A process of its own that writes reviews, for tests that run several at once or kill one: ``URL READER COUNT``.

Prints the id of every review once the store has acknowledged it.
"""

import sys

from core.reviews import Review, ReviewStore

if __name__ == "__main__":
    url, reader, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
    store = ReviewStore(url)
    for number in range(count):
        review = Review(reader, "tiny", "shapes", f"phantom-BPD-unseen-{number}", "BPD", "NT", "random", "BPD")
        store.append(review)
        print(review.review_id, flush=True)
