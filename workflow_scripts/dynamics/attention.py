"""How much the attention of two models differs: Jensen-Shannon divergence, layer by layer.

Both models read the same tokens in step, so that only one layer's attention of each is in memory.
"""

import math
from collections.abc import Iterator
from contextlib import closing

import torch
from torch import Tensor, nn

from workflow_scripts.common.errors import UserError
from workflow_scripts.model.running import attentions

# Tolerance for the sum of a query's attention: float32 softmax stays within 1e-6 of 1.
_ROW_SUM = 1e-5
_LN2 = math.log(2)


def js_divergence(p: Tensor, q: Tensor, mask: Tensor) -> Tensor:
    """Jensen-Shannon divergence between two attentions, mean over the tokens of each example.

    Padding is excluded: its queries are dropped, its keys set to 0. The mean over examples and
    heads is the paper's D of a layer; each example has the same weight, whatever its length.

    Parameters
    ----------
    p, q : Tensor of shape (N, H, T, T)
        Attention of one layer after the softmax: query, then key.
    mask : Tensor of shape (N, T)
        1 for tokens (special ones too), 0 for padding.

    Returns
    -------
    Tensor of shape (N, H)
        Nats, 0 to ln 2, in float32 (float64 for float64). Exactly 0 where ``p`` equals ``q``, and
        the same bits for ``q, p``. The relative error is about 1e-6 in float32, however small the
        divergence.

    Raises
    ------
    UserError
        If the shapes do not match, an example has no tokens, or a token's attention contains NaN or
        does not sum to 1 within 1e-5.

    References
    ----------
    Hao et al. (2020), section 3.
    """
    return mean_of_queries(js_per_query(p, q, mask), mask)


def js_per_query(p: Tensor, q: Tensor, mask: Tensor) -> Tensor:
    """``js_divergence`` before the mean, with the same parameters and errors.

    Besides ``p`` and ``q`` it needs the memory of a few tensors of one head.

    Returns
    -------
    Tensor of shape (N, H, T)
        One number per query, 0 at padding.
    """
    if p.ndim != 4 or p.shape != q.shape or p.shape[2] != p.shape[3]:
        raise UserError(
            f"attentions must have one shape [N, H, T, T], got {list(p.shape)} and {list(q.shape)}"
        )
    if mask.shape != (p.shape[0], p.shape[2]):
        raise UserError(
            f"mask: got shape {list(mask.shape)}, expected {[p.shape[0], p.shape[2]]} (N, T)"
        )
    real = mask.to(p.device) != 0
    if not real.any(dim=1).all():
        raise UserError("mask: an example has no tokens")
    leaks = [_leaked(attention, real) for attention in (p, q)]
    # Head by head, so that the temporaries are small compared to the attention.
    heads = []
    for head in range(p.shape[1]):
        kept = [
            _on_tokens(attention[:, head], leaked[:, head], real)
            for attention, leaked in zip((p, q), leaks, strict=True)
        ]
        heads.append(_js(*kept).masked_fill_(~real, 0))
    return torch.stack(heads, dim=1)


def mean_of_queries(js: Tensor, chosen: Tensor) -> Tensor:
    """Mean over the chosen queries of each example.

    Parameters
    ----------
    js : Tensor of shape (N, H, T)
        From ``js_per_query``.
    chosen : Tensor of shape (N, T)
        1 for the queries that count, else 0: the mask, or one of ``query_types``.

    Returns
    -------
    Tensor of shape (N, H)
        Nats; NaN for an example in which no query is chosen.
    """
    chosen = (chosen.to(js.device) != 0)[:, None]
    total = js.masked_fill(~chosen, 0).sum(dim=2, dtype=torch.float64)
    return _rounded(total / chosen.sum(dim=2), js.dtype)


def query_types(
    input_ids: Tensor, mask: Tensor, cls_id: int | None, sep_id: int | None
) -> dict[str, Tensor]:
    """Which queries are the first token, a separator, or any other token.

    Parameters
    ----------
    input_ids, mask : Tensor of shape (N, T)
        The mask as in ``js_divergence``.
    cls_id, sep_id : int or None
        The tokenizer's ``cls_token_id`` and ``sep_token_id``; None where it has none, as those of
        decoders: then no query is of that kind.

    Returns
    -------
    dict of str to Tensor of shape (N, T), bool
        ``cls``, ``sep``, ``other``; together they are the mask.
    """
    real = mask != 0
    cls, sep = (
        torch.zeros_like(real) if token is None else real & (input_ids == token)
        for token in (cls_id, sep_id)
    )
    return {"cls": cls, "sep": sep & ~cls, "other": real & ~cls & ~sep}


def _leaked(attention: Tensor, real: Tensor) -> Tensor:
    """Probability that each query gives to padding, [N, H, T]; checks that all sum to 1."""
    rows = attention.sum(dim=3, dtype=torch.float64)
    low = attention.amin(dim=3)
    query = real[:, None].expand_as(rows)
    if torch.isnan(rows[query]).any():
        raise UserError("attention contains NaN: the model's activations are not finite")
    off = (rows - 1).abs()[query].max().item()
    if not off <= _ROW_SUM or (low[query] < 0).any():
        raise UserError(
            f"attention: got a row that sums to 1 ± {off:.2g} or has a negative value, expected "
            f"probabilities that sum to 1 within {_ROW_SUM:g}, as in float32"
        )
    leaked = (attention @ (~real)[:, None, :, None].to(attention.dtype))[..., 0]
    if (leaked[query] > 1 - _ROW_SUM).any():
        raise UserError("attention is on padding only: is the mask that of these examples?")
    return leaked


def _on_tokens(attention: Tensor, leaked: Tensor, real: Tensor) -> Tensor:
    """One head's attention [N, T, T] without padding among the keys."""
    kept = attention.masked_fill(~real[:, None], 0)
    # A finite mask leaves a little attention on padding; rows without any keep their bits.
    return kept.div_(kept.sum(dim=2).where(leaked > 0, 1)[..., None])


def _js(p: Tensor, q: Tensor) -> Tensor:
    """Jensen-Shannon divergence along the last axis, nats.

    With s = p + q and d = |p − q| / s, every term is s/4 [(1+d) log(1+d) + (1−d) log(1−d)], which
    is never negative. The entropies that the textbook forms subtract are large and nearly equal.
    """
    s = p + q
    # Where s is 0 the term is 0, whatever it is divided by.
    over = s.masked_fill(s == 0, 1)
    d = (p - q).abs_().div_(over)
    # 1 − d without rounding, for where d is nearly 1.
    rest = torch.minimum(p, q).mul_(2).div_(over)
    small = (2 * d * torch.atanh(d)).add_(torch.log1p(-d * d))
    large = torch.xlogy(rest, rest).add_((1 + d).mul_(torch.log1p(d)))
    term = torch.where(d < 0.5, small, large).mul_(s)
    return _rounded(term.sum(dim=-1, dtype=torch.float64) / 4, term.dtype)


def _rounded(divergence: Tensor, dtype: torch.dtype) -> Tensor:
    """In the type of the attention, and not above ln 2, which rounding may pass."""
    if dtype == torch.float64:
        return divergence.clamp(max=_LN2)
    # The nearest float32 to ln 2 is above it.
    below = torch.nextafter(torch.tensor(_LN2, dtype=dtype), torch.tensor(0.0, dtype=dtype))
    return divergence.to(dtype).clamp_(max=below.item())


def js_layers(first: nn.Module, second: nn.Module, batch: dict[str, Tensor]) -> Iterator[Tensor]:
    """``js_per_query`` of two models, layer by layer, one layer's attention of each in memory.

    Parameters
    ----------
    first, second : Module
        Encoders as in ``attentions``, on one device; they may be the same.
    batch : dict of str to Tensor
        Inputs of both, with ``attention_mask``.

    Yields
    ------
    Tensor of shape (N, H, T)
        Nats, 0 at padding; for ``mean_of_queries``.

    Raises
    ------
    UserError
        If a model returns no attention, the models differ in layers, heads or vocabulary, or the
        activations of one are not finite.
    """
    check_comparable(first, second)
    with closing(attentions(first, batch)) as left, closing(attentions(second, batch)) as right:
        layer = 0
        while True:
            p, q = next(left, None), next(right, None)
            if p is None and q is None:
                return
            if p is None or q is None:
                raise UserError(f"one model has {layer} layers, the other more")
            try:
                js = js_per_query(p, q, batch["attention_mask"])
            except UserError as error:
                raise UserError(f"layer {layer}: {error}") from None
            del p, q  # before the next layer is computed
            yield js
            layer += 1


def check_comparable(first: nn.Module, second: nn.Module) -> None:
    """Check that two models' attentions can be compared head by head.

    Raises
    ------
    UserError
        If they differ in the number of layers, heads or tokens.
    """
    for key, what in (
        ("num_hidden_layers", "layers"),
        ("num_attention_heads", "attention heads"),
        ("vocab_size", "tokens in the vocabulary"),
    ):
        sizes = [getattr(module.config, key, None) for module in (first, second)]
        if sizes[0] != sizes[1]:
            raise UserError(
                f"attention cannot be compared: one model has {sizes[0]} {what}, the other "
                f"{sizes[1]}; expected the same number"
            )
