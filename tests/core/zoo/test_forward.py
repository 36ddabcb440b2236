"""Forward passes in LiteRT are those of the graph that they were made of, however images were cut into batches."""

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from core.zoo.forward import BATCH_SIZES, ForwardPass, batches, convert


@pytest.fixture(scope="module")
def graph():
    """An odd graph: two outputs of other shapes, a branch each, whose order in the graph is not that of return."""
    from core.zoo.runtime import tensorflow

    tf = tensorflow()
    kernel = tf.Variable(np.random.default_rng(0).normal(size=(3, 3, 1, 4)).astype(np.float32))

    @tf.function(input_signature=[tf.TensorSpec((None, 12, 12), tf.float32)], autograph=False)
    def compute(values):
        maps = tf.nn.relu(tf.nn.conv2d(values[..., None], kernel, 1, "SAME"))
        return tf.reduce_mean(maps, axis=(1, 2)), tf.reduce_sum(values, axis=(1, 2)), maps

    return compute.get_concrete_function(), kernel


@pytest.fixture(scope="module")
def values():
    return np.random.default_rng(1).normal(size=(21, 12, 12)).astype(np.float32)


@pytest.mark.parametrize("n", [1, 2, 7, 8, 9, 21])
def test_outputs_are_those_of_the_graph_in_its_order(graph, values, n):
    compute, _ = graph
    expected = [np.asarray(output) for output in compute(values[:n])]
    found = ForwardPass(convert(compute))(values[:n], (0, 1, 2))
    assert [one.shape for one in found] == [(n, 4), (n,), (n, 12, 12, 4)]
    for one, right in zip(found, expected, strict=True):
        assert one == pytest.approx(right, abs=1e-5)
    only = ForwardPass(convert(compute))(values[:n], [2])
    assert len(only) == 1
    assert np.array_equal(only[0], found[2])


def test_a_pass_keeps_the_weights_it_was_made_with(graph, values):
    compute, kernel = graph
    frozen = ForwardPass(convert(compute))
    before = frozen(values, [0])[0]
    kernel.assign(2 * kernel)
    try:
        assert np.array_equal(frozen(values, [0])[0], before)
        assert ForwardPass(convert(compute))(values, [0])[0] == pytest.approx(2 * before, abs=1e-5)
    finally:
        kernel.assign(kernel / 2)


def test_threads_get_the_answers_to_their_own_values(graph, values):
    passes = ForwardPass(convert(graph[0]))
    alone = [passes(one[None], [1])[0] for one in values]
    with ThreadPoolExecutor(6) as pool:
        together = list(pool.map(lambda one: passes(one[None], [1])[0], np.concatenate([values] * 10)))
    assert np.array_equal(together, alone * 10)


def test_what_is_sent_to_another_process_answers_the_same_there(graph, values):
    passes = ForwardPass(convert(graph[0]))
    sent = pickle.loads(pickle.dumps(passes))
    assert pickle.dumps(sent) == pickle.dumps(passes)
    for twin in (sent, sent.for_threads(2)):
        for one, right in zip(twin(values, (0, 1, 2)), passes(values, (0, 1, 2)), strict=True):
            assert np.array_equal(one, right)


@pytest.mark.parametrize("n", [1, 5, 8, 9, 100])
def test_batches_hold_every_value_once(n):
    found = batches(n, BATCH_SIZES[-1])
    assert sum(found) == n
    assert set(found) <= set(BATCH_SIZES)
    assert found == sorted(found, reverse=True)
