"""Layers rolled back one by one: lower states kept, against a whole pass for every layer.

    make bench BENCH=layer_rollback

The same models (random weights of MiniLM's width), sentences and thread, in alternation in one
process; prints medians, the ratio, and the ratio of layers that have to be computed: with L layers
(L + 1) L in whole passes, L + L (L + 1) / 2 otherwise. Whole passes are transformers' own; the
sentences are equally long, so that they have no padding. Also prints the largest difference.
"""

import statistics
import time

import numpy as np
import torch
from transformers import BertConfig

from workflow_scripts.model.encoder import (
    classifier_of,
    draw_encoder,
    encoder_names,
    layer_of,
    load_weights,
    start_weights,
)
from workflow_scripts.model.running import rolled_back_states
from workflow_scripts.model.text import Encoded, collate

EXAMPLES, LENGTH, ROUNDS = 16, 48, 5
WIDTH = {"hidden_size": 384, "num_attention_heads": 12, "intermediate_size": 1536}


def models(layers: int):
    """A model and one of other weights, both without a use for anything but their layers."""
    config = BertConfig(vocab_size=2000, num_hidden_layers=layers, **WIDTH)
    pair = []
    for seed in (0, 1):
        module = classifier_of(config, labels=2)
        load_weights(module, start_weights(module, draw_encoder(config, seed), 0))
        pair.append(module)
    return config, *pair


def whole_passes(config, module, before, inputs):
    """As one would write it: copy the layer's weights, run the model, put them back; [T, d]."""
    old = dict(before.named_parameters())
    own = {name: p.detach().clone() for name, p in module.named_parameters()}
    with torch.no_grad():
        yield module.base_model(**inputs).last_hidden_state.flatten(0, 1)
        for layer in range(config.num_hidden_layers):
            names = [name for name in encoder_names(module) if layer_of(name) == layer]
            load_weights(module, own | {name: old[name] for name in names})
            yield module.base_model(**inputs).last_hidden_state.flatten(0, 1)
        load_weights(module, own)


def main() -> None:
    torch.set_num_threads(1)
    words = np.random.default_rng(0).integers(2000, size=(EXAMPLES, LENGTH))
    nothing, lengths = np.zeros(EXAMPLES, np.int64), np.full(EXAMPLES, LENGTH)
    sentences = Encoded(words.tolist(), None, lengths, nothing)
    everyone = np.arange(EXAMPLES)
    inputs = collate(sentences, everyone, pad_id=0)
    print(f"{EXAMPLES} sentences of {LENGTH} tokens, float32, one thread, medians of {ROUNDS}")
    heads = ("layers", "whole passes (s)", "states kept (s)", "ratio", "layers to compute, ratio")
    print(f"| {' | '.join(heads)} | largest difference |")
    print("|--:|--:|--:|--:|--:|--:|")
    for layers in (6, 12, 24):
        config, module, before = models(layers)
        seconds: dict[str, list[float]] = {"whole": [], "kept": []}
        for _ in range(ROUNDS):
            began = time.perf_counter()
            whole = list(whole_passes(config, module, before, inputs))
            middle = time.perf_counter()
            kept = list(rolled_back_states(module, before, sentences, everyone, 0))
            seconds["whole"].append(middle - began)
            seconds["kept"].append(time.perf_counter() - middle)
            off = max(float((a - b).abs().max()) for a, b in zip(whole, kept, strict=True))
        slow, fast = (statistics.median(seconds[name]) for name in ("whole", "kept"))
        needed = (layers + 1) * layers / (layers + layers * (layers + 1) / 2)
        ratios = f"{slow:.2f} | {fast:.2f} | {slow / fast:.2f} | {needed:.2f}"
        print(f"| {layers} | {ratios} | {off:.0e} |")


if __name__ == "__main__":
    main()
