"""Runs a model on examples: logits, hidden states and attention, for every stage.

The families of ``model/families.py`` are computed without padding by ``model/network.py``, all
others by their own Hugging Face forward pass over padded examples.
"""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import SimpleQueue

import numpy as np
import torch
from torch import Tensor, nn

from workflow_scripts.common.device import chosen_token_budget
from workflow_scripts.common.errors import UserError
from workflow_scripts.model import network
from workflow_scripts.model.architecture import Classifier, architecture_of
from workflow_scripts.model.encoder import (
    check_own_layers,
    layer_count,
    layer_modules,
    reads_last_token,
)
from workflow_scripts.model.families import Architecture
from workflow_scripts.model.network import (
    Operations,
    attention_weights,
    embed,
    read_layers,
    run_layer,
)
from workflow_scripts.model.packing import Packed, pack, pack_batch
from workflow_scripts.model.replay import Replay
from workflow_scripts.model.text import Encoded, collate, token_batches
from workflow_scripts.model.words import target_means, target_rows

log = logging.getLogger("tunescape")

Forward = Callable[[Encoded, np.ndarray], Tensor]


# Logits


def padded_forward(module: nn.Module, pad_id: int, device: torch.device) -> Forward:
    """Logits [N, K] of examples by a classifier's own forward pass, as a function.

    Parameters
    ----------
    module : nn.Module
        Classifier on ``device``.
    pad_id : int
        Token that fills up the shorter examples of a batch.
    """
    return lambda encoded, indices: own_logits(module, collate(encoded, indices, pad_id, device))


def own_logits(module: nn.Module, batch: dict[str, Tensor]) -> Tensor:
    """Logits [N, K] by the forward pass of a classifier of transformers.

    A decoder's classifier reads the last token. transformers takes for it the last one that is
    not the padding token, which is another one where that token also ends a text, as GPT-2's does.
    Here it is the last one of the mask.

    Parameters
    ----------
    module : nn.Module
        Classifier of transformers.
    batch : dict of str to Tensor
        Its inputs, as ``collate`` makes them, padded on the right.
    """
    if not reads_last_token(module):
        return module(**batch).logits
    states = module.base_model(**batch).last_hidden_state
    last = batch["attention_mask"].sum(1) - 1
    return module.score(states[torch.arange(len(last), device=last.device), last])


def packed_forward(module: nn.Module, device: torch.device, operations: Operations) -> Forward:
    """The same without padding, for a module that has an ``architecture_of``.

    The weights may change between calls; the parameters must stay the same objects.

    Parameters
    ----------
    module : nn.Module
        Classifier on ``device``.
    operations : Operations
        Of evaluation, or of training.
    """
    architecture, weights = architecture_of(module), dict(module.named_parameters())

    def forward(encoded: Encoded, indices: np.ndarray) -> Tensor:
        order = np.argsort(encoded.lengths[indices], kind="stable")
        packed = pack(architecture, encoded, indices[order], device)
        logits = network.logits(architecture, weights, packed, operations)
        return logits.index_select(0, torch.from_numpy(np.argsort(order)).to(device))

    return forward


def word_forward(
    module: nn.Module, pad_id: int, device: torch.device, operations: Operations | None
) -> Forward:
    """Logits [m, K] of the labelled words of sentences, as a function: one pass a sentence.

    A linear head reads the mean of a word's hidden states above the last layer, of a pair those of
    both words side by side.

    Parameters
    ----------
    module : nn.Module
        Of ``encoder.build_word_classifier``, on ``device``.
    pad_id : int
        Token that fills up the shorter examples of a batch.
    operations : Operations or None
        With which ``model/network.py`` computes it without padding; None for the encoder's own
        forward pass.
    """

    def forward(encoded: Encoded, indices: np.ndarray) -> Tensor:
        if operations is None:
            inputs = collate(encoded, indices, pad_id, device)
            states = module.base_model(**inputs).last_hidden_state
            firsts = np.arange(len(indices)) * states.shape[1]
            states = states.flatten(0, 1)
        else:
            line = _line(architecture_of(module), encoded, indices, device)
            weights = dict(module.named_parameters())
            states = network.states(line.architecture, weights, line.packed, operations)
            firsts = line.firsts
        means = _target_means(states, encoded, indices, firsts)
        return module.classifier(module.dropout(means))

    return forward


def _target_means(
    states: Tensor, encoded: Encoded, examples: np.ndarray, firsts: np.ndarray
) -> Tensor:
    """Vectors of the examples' targets; ``firsts``: row in the states of each one's first token."""
    targets, places = encoded.targets, encoded.labels_of(examples)
    counts = np.diff(targets.ends)[examples]
    first, stop = targets.first[places], targets.stop[places]
    rows, word = target_rows(first, stop, np.repeat(firsts, counts))
    return target_means(states, rows, word, first.shape)


class Runner:
    """Runs a classifier, with the weights it has now, on the same examples again and again.

    On a GPU a pass without padding that waits for its launches becomes a CUDA graph
    (``model/replay.py``).

    Parameters
    ----------
    module : nn.Module
        A sequence classifier; put into evaluation mode. Its weights may change, its parameters
        must stay the same objects.
    examples : Encoded
    pad_id : int
        Token that fills up short examples, where there is padding.
    token_budget : int, optional
        Most (padded) tokens in one forward pass; None for what suits the device. Where a GPU has
        too little memory for them it is halved.
    fixed_below : int, optional
        The embeddings and all layers below this one must keep their weights: their hidden states
        are then computed once. None allows any change.
    dtype : torch.dtype
        Of matrix products: float32, or bfloat16 with float32 sums. What comes between the
        products, and the head, are float32.

    Attributes
    ----------
    rows : dict of str to Tensor
        Name of a parameter -> its rows that the examples use (int64, increasing); no others need
        to move. Empty where that is not known.
    """

    def __init__(
        self,
        module: nn.Module,
        examples: Encoded,
        pad_id: int,
        token_budget: int | None,
        fixed_below: int | None = None,
        dtype: torch.dtype = torch.float32,
    ):
        self.module, self.dtype = module.eval(), dtype
        self.device = next(module.parameters()).device
        self.rows: dict[str, Tensor] = {}
        self._examples, self._pad_id, self._fixed_below = examples, pad_id, fixed_below
        self._weights = dict(module.named_parameters())
        self._architecture = architecture_of(module)
        name = type(module).__name__
        if self._architecture is not None:
            log.info("%s %s: without padding, %s", self._architecture.model_type, name, dtype)
            used = np.unique([i for ids in examples.input_ids for i in ids])
            self.rows[self._architecture.word_embeddings] = torch.from_numpy(used.astype(np.int64))
            self._prepare, self._forward = self._pack, self._packed_forward
        else:
            log.info("%s: through its own forward, padded, %s", name, dtype)
            self._prepare, self._forward = self._collate, self._own_forward
        self._set_budget(chosen_token_budget(token_budget, self.device))

    def _set_budget(self, token_budget: int) -> None:
        self.token_budget = token_budget
        batches = token_batches(self._examples.lengths, token_budget)
        self._order = np.concatenate(batches)
        self._inputs = [self._prepare(batch) for batch in batches]
        self._prefixes: list[Tensor] = []
        self._pass: Callable[[], Tensor] = self._joined
        if self.device.type == "cuda" and self._architecture is not None:
            self._pass = Replay(self._joined, self._weights)

    def _joined(self) -> Tensor:
        return torch.cat(self._forward())

    def _collate(self, batch: np.ndarray) -> dict[str, Tensor]:
        return collate(self._examples, batch, self._pad_id, self.device)

    def _own_forward(self) -> list[Tensor]:
        with torch.autocast(self.device.type, self.dtype, self.dtype != torch.float32):
            return [own_logits(self.module, batch).float() for batch in self._inputs]

    def _pack(self, batch: np.ndarray) -> Packed:
        return pack(self._architecture, self._examples, batch, self.device)

    def _packed_forward(self) -> list[Tensor]:
        architecture, weights = self._architecture, self._weights
        layers = read_layers(architecture, weights, self.dtype)
        fixed = self._fixed_below or 0

        def run(packed: Packed, states: Tensor, some: range) -> Tensor:
            for index in some:
                last = index == len(layers) - 1
                states = run_layer(architecture, layers[index], packed, states, last)
            return states

        def prefix(packed: Packed) -> Tensor:
            return run(packed, embed(architecture, weights, packed), range(fixed))

        if self._fixed_below is not None and not self._prefixes:
            self._prefixes = [prefix(packed) for packed in self._inputs]
        logits = []
        for i, packed in enumerate(self._inputs):
            states = self._prefixes[i] if self._prefixes else prefix(packed)
            states = run(packed, states, range(fixed, len(layers)))
            logits.append(network.head(architecture, weights, states))
        return logits

    @torch.inference_mode()
    def logits(self) -> Tensor:
        """Logits of all examples in their order, float32 of shape [N, K], on the CPU.

        Raises
        ------
        torch.OutOfMemoryError
            If the GPU's memory does not hold even the longest example alone.
        """
        while True:
            try:
                logits = self._pass().cpu()
            except torch.OutOfMemoryError:
                if self.token_budget <= self._examples.lengths.max():
                    raise
            else:
                ordered = torch.empty_like(logits)
                ordered[self._order] = logits
                return ordered
            # Out here the failed pass's tensors are free, since the exception that held them is.
            self._set_budget(self.token_budget // 2)
            log.warning("out of GPU memory: on with %d tokens in one pass", self.token_budget)


# Hidden states


@dataclass(frozen=True)
class _Line:
    """Examples of one pass without padding, and the place [T] of each of their tokens in it.

    The places are those of the tokens of the first requested example, the second, and so on;
    ``firsts`` [N] those of their first tokens, as an array.
    """

    architecture: Architecture
    packed: Packed
    place: Tensor
    firsts: np.ndarray


def _line(
    architecture: Architecture, encoded: Encoded, examples: np.ndarray, device: torch.device
) -> _Line:
    lengths = encoded.lengths[examples]
    order = np.argsort(lengths, kind="stable")
    firsts = np.empty_like(lengths)
    firsts[order] = np.cumsum(lengths[order]) - lengths[order]
    place = np.repeat(firsts - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
    packed = pack(architecture, encoded, examples[order], device)
    return _Line(architecture, packed, torch.from_numpy(place).to(device), firsts)


@torch.no_grad()
def hidden_states(
    module: nn.Module, encoded: Encoded, examples: np.ndarray, pad_id: int
) -> list[Tensor]:
    """Hidden states of examples: of the embeddings, then of each layer.

    Parameters
    ----------
    module : nn.Module
        A ``Classifier``, or any Hugging Face classifier.
    encoded : Encoded
    examples : ndarray of shape (N,)
        Indices in ``encoded``.
    pad_id : int
        Token that fills up short examples, where there is padding.

    Returns
    -------
    list of Tensor of shape [T, d], without padding: the tokens of the first example, of the
    second, and so on. Those of ``model/network.py`` are within 1e-5 of transformers'.

    Raises
    ------
    UserError
        If the architecture gives none.
    """
    device, architecture = next(module.parameters()).device, architecture_of(module)
    if architecture is None:
        inputs = collate(encoded, examples, pad_id, device)
        real = inputs["attention_mask"] != 0
        return [states[real] for states in _own_hidden_states(module, inputs)]
    line = _line(architecture, encoded, examples, device)
    return [states[line.place] for states in _all_states(module, architecture, line)]


def target_states(
    module: nn.Module, encoded: Encoded, examples: np.ndarray, pad_id: int
) -> Iterator[Tensor]:
    """Vectors that labels belong to, of the embeddings, then of each layer.

    Parameters
    ----------
    module, encoded, examples, pad_id
        As in ``hidden_states``.

    Yields
    ------
    Tensor of shape [m, d]: hidden states of the examples' first tokens, of a decoder their last
    ones, which its classifier reads; where labels belong to words the means of their tokens,
    [m, 2 d] for pairs, in the order of ``encoded.labels_of``.
    """
    lengths = encoded.lengths[examples]
    firsts = np.cumsum(lengths) - lengths
    read = np.cumsum(lengths) - 1 if reads_last_token(module) else firsts
    for states in hidden_states(module, encoded, examples, pad_id):
        if encoded.targets is None:
            yield states[torch.from_numpy(read).to(states.device)]
        else:
            yield _target_means(states, encoded, examples, firsts)


def _all_states(module: nn.Module, architecture: Architecture, line: _Line) -> list[Tensor]:
    weights = dict(module.named_parameters())
    states = [embed(architecture, weights, line.packed)]
    for layer in read_layers(architecture, weights):
        states.append(run_layer(architecture, layer, line.packed, states[-1], last=False))
    return states


def _own_hidden_states(module: nn.Module, inputs: dict[str, Tensor]) -> tuple[Tensor, ...]:
    """Hidden states of a model's own forward pass over padded examples, [N, T, d] each."""
    output = module.base_model(**inputs, output_hidden_states=True)
    states = getattr(output, "hidden_states", None)
    if not states:
        raise UserError(f"{type(module).__name__} returns no hidden states")
    return states


@torch.no_grad()
def rolled_back_states(
    module: nn.Module, before: nn.Module, encoded: Encoded, examples: np.ndarray, pad_id: int
) -> Iterator[Tensor]:
    """Last hidden states of a model, then of the same with one layer at a time rolled back.

    A layer's weights change nothing below it: the passes reuse the hidden states of the layers
    below from the first pass, so that L layers cost (L + 1) / 2 passes in all instead of L.

    Parameters
    ----------
    module, before : nn.Module
        Fine-tuned and pre-trained model of one architecture, on one device.
    encoded, examples, pad_id
        As in ``hidden_states``.

    Yields
    ------
    Tensor of shape [T, d]: of ``module`` itself, then with layer 0, 1 … of ``before`` instead of
    its own.

    Raises
    ------
    UserError
        If the layers share their weights (ALBERT), or the models differ in depth.
    """
    check_own_layers(module)
    depths = [layer_count(each) for each in (module, before)]
    if depths[0] != depths[1]:
        raise UserError(f"one model has {depths[0]} layers, the other {depths[1]}")
    device, architecture = next(module.parameters()).device, architecture_of(module)
    if architecture is None:
        inputs = collate(encoded, examples, pad_id, device)
        real = inputs["attention_mask"] != 0
        yield from (states[real] for states in _own_rolled_back_states(module, before, inputs))
        return
    line = _line(architecture, encoded, examples, device)
    own, old = (
        read_layers(architecture, dict(each.named_parameters())) for each in (module, before)
    )
    below = _all_states(module, architecture, line)
    yield below[-1][line.place]
    for index, layer in enumerate(old):
        states = below[index]
        for one in (layer, *own[index + 1 :]):
            states = run_layer(architecture, one, line.packed, states, last=False)
        yield states[line.place]


def _own_rolled_back_states(
    module: nn.Module, before: nn.Module, inputs: dict[str, Tensor]
) -> Iterator[Tensor]:
    """``rolled_back_states`` of the models' own forward passes, padded, [N, T, d] each."""
    layers, old = layer_modules(module), layer_modules(before)
    outputs: list = []

    def keep(_layer, _inputs, output):
        outputs.append(output)

    hooks = [layer.register_forward_hook(keep) for layer in layers]
    try:
        last = module.base_model(**inputs).last_hidden_state
    finally:
        for hook in hooks:
            hook.remove()
    yield last
    for index in range(len(layers)):
        below = [_giving(output) for output in outputs[:index]]
        with _replaced(layers[: index + 1], [*below, old[index].forward]):
            last = module.base_model(**inputs).last_hidden_state
        yield last


def _giving(output):
    return lambda *_arguments, **_named: output


@contextmanager
def _replaced(layers: list[nn.Module], forwards: list) -> Iterator[None]:
    """Give layers another forward pass within the context."""
    for layer, forward in zip(layers, forwards, strict=True):
        layer.forward = forward
    try:
        yield
    finally:
        for layer in layers:
            del layer.forward  # uncovers that of its class


# Attention


class _Abandoned(BaseException):
    """Ends a forward pass whose remaining attention is not requested."""


def attentions(module: nn.Module, batch: dict[str, Tensor]) -> Iterator[Tensor]:
    """A model's attention weights, computed layer by layer as they are requested.

    The forward pass waits at each layer until the next one is requested, so that two models can
    run side by side and only one layer's attention is in memory. It runs on its own thread, never
    at the same time as the caller; the numbers are those of ``output_attentions=True``. Where
    transformers does not declare which module computes attention (DeBERTa, MPNet …) the pass runs
    to the end first, and holds all layers.

    Parameters
    ----------
    module : nn.Module
        Any Hugging Face encoder, bare or with a head, built with "eager" attention; put into
        evaluation mode. Or a ``Classifier``, computed as in ``model/network.py``.
    batch : dict of str to Tensor
        Its inputs, as ``collate`` makes them; without padding for a ``Classifier``.

    Yields
    ------
    Tensor of shape [N, H, T, T], query then key, from the lowest layer to the highest. Layers that
    share their weights (ALBERT) come one by one, too.

    Raises
    ------
    UserError
        If the model returns no attention.
    """
    if isinstance(module, Classifier):
        yield from _known_layers(module, batch)
        return
    module.eval()
    source = _source(module)
    if source is None:
        yield from _all_layers(module, batch)
        return
    kind, index = source
    requests, results = SimpleQueue(), SimpleQueue()

    def hand_over(_part, _inputs, output):
        # Another thread may be running the same module.
        if threading.current_thread() is worker:
            results.put((output[index] if isinstance(output, tuple) else None,))
            if not requests.get():
                raise _Abandoned

    def forward():
        try:
            with torch.no_grad():
                module.base_model(**batch)
            results.put(None)
        except _Abandoned:
            pass
        except BaseException as error:
            results.put(error)

    hooks = [
        part.register_forward_hook(hand_over) for part in module.modules() if isinstance(part, kind)
    ]
    worker = threading.Thread(target=forward, daemon=True)
    worker.start()
    layers = 0
    try:
        while (item := results.get()) is not None:
            if isinstance(item, BaseException):
                raise item
            yield _present(item[0], module)
            item = None  # the forward pass goes on without this layer in memory
            layers += 1
            requests.put(True)
        if layers == 0:
            _present(None, module)
    finally:
        requests.put(False)
        worker.join()
        for hook in hooks:
            hook.remove()


@torch.no_grad()
def _known_layers(module: Classifier, batch: dict[str, Tensor]) -> Iterator[Tensor]:
    architecture, weights = module.config, dict(module.named_parameters())
    packed = pack_batch(architecture, batch)
    states = embed(architecture, weights, packed)
    layers = read_layers(architecture, weights)
    for index, layer in enumerate(layers):
        (attention,) = attention_weights(architecture, layer, packed, states)
        yield attention
        del attention  # before the next layer is computed
        if index < len(layers) - 1:
            states = run_layer(architecture, layer, packed, states, last=False)


def _source(module: nn.Module) -> tuple[type, int] | None:
    """Class of the modules that compute attention, and its place in what they return."""
    declared = (getattr(module.base_model, "_can_record_outputs", None) or {}).get("attentions")
    kind, index = getattr(declared, "target_class", declared), getattr(declared, "index", 1)
    # A name or a choice of layers needs transformers' own search.
    if not isinstance(kind, type) or getattr(declared, "layer_name", None):
        return None
    return kind, index


def _all_layers(module: nn.Module, batch: dict[str, Tensor]) -> Iterator[Tensor]:
    try:
        with torch.no_grad():
            output = module.base_model(**batch, output_attentions=True)
    except TypeError as error:
        if "output_attentions" not in str(error):
            raise
        output = None
    for attention in getattr(output, "attentions", None) or (None,):
        yield _present(attention, module)


def _present(attention: Tensor | None, module: nn.Module) -> Tensor:
    if attention is not None and attention.ndim == 4:
        return attention
    raise UserError(
        f"{type(module).__name__} returns no attention [N, H, T, T] with "
        f"{module.config._attn_implementation!r} attention; expected a model with softmax "
        "attention, built with 'eager'"
    )
