import numpy as np
import pytest

from workflow_scripts.finetune.batches import dropout_seed, epoch_batches

LENGTHS = np.random.default_rng(0).integers(4, 60, 203)


@pytest.mark.parametrize("bucket", [1, 4, 100])
def test_an_epoch_holds_every_example_once(bucket):
    batches = epoch_batches(LENGTHS, 16, bucket, order=3, epoch=1)
    assert sorted(np.concatenate(batches)) == list(range(203))
    assert sorted(map(len, batches)) == [203 % 16] + [16] * (203 // 16)


def test_the_order_follows_from_seed_and_epoch_alone():
    def order_of(seed, epoch):
        return np.concatenate(epoch_batches(LENGTHS, 16, 4, seed, epoch)).tolist()

    assert order_of(3, 1) == order_of(3, 1)
    assert order_of(3, 1) != order_of(3, 2)
    assert order_of(3, 1) != order_of(4, 1)
    seeds = {dropout_seed(order, epoch) for order in range(5) for epoch in range(1, 6)}
    assert len(seeds) == 25


def test_buckets_save_padding_and_do_not_run_from_short_to_long():
    def padded(bucket):
        batches = epoch_batches(LENGTHS, 16, bucket, order=0, epoch=1)
        return sum(len(batch) * LENGTHS[batch].max() for batch in batches)

    assert LENGTHS.sum() < padded(8) < 0.75 * padded(1)
    longest = [LENGTHS[b].max() for b in epoch_batches(LENGTHS, 16, 100, order=0, epoch=1)]
    assert longest != sorted(longest)
