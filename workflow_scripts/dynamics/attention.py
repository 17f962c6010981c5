"""How far the attention of two models differs: Jensen-Shannon divergence, layer by layer.

Both models read the same tokens, side by side, so that one layer's attention of each is all that
is ever held.
"""

import math
from collections.abc import Iterator
from contextlib import closing

import torch
from torch import Tensor, nn

from workflow_scripts.common.errors import UserError
from workflow_scripts.model.running import attentions

# How far the sum of a row may be from 1: float32 softmax stays within 1e-6.
_ROW_SUM = 1e-5
_LN2 = math.log(2)


def js_divergence(p: Tensor, q: Tensor, mask: Tensor) -> Tensor:
    """Jensen-Shannon divergence between two attentions, mean over the tokens of each example.

    Padding has no part in it: its queries are dropped, its keys set to 0. The mean over examples
    and heads is the paper's D of a layer; each example counts the same, however long it is.

    Parameters
    ----------
    p, q : attention after the softmax, [N, H, T, T] (query, then key), of one layer.
    mask : [N, T], 1 for tokens (special ones too), 0 for padding.

    Returns
    -------
    [N, H], nats, 0 to ln 2, in float32 (float64 for float64). Exactly 0 where ``p`` equals ``q``,
    and the same bits for ``q, p``. The relative error is about 1e-6 in float32, however small the
    divergence.

    Raises
    ------
    UserError : if the shapes do not fit, an example has no tokens, or a token's row holds NaN or
        does not sum to 1 within 1e-5.

    References
    ----------
    Hao et al. (2020), section 3.
    """
    return mean_of_queries(js_per_query(p, q, mask), mask)


def js_per_query(p: Tensor, q: Tensor, mask: Tensor) -> Tensor:
    """``js_divergence`` before the mean: [N, H, T], one number per query, 0 at padding.

    Takes and raises the same. Besides ``p`` and ``q`` it holds a few tensors of one head.
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
    # Head by head: the temporaries stay small beside the attention itself.
    heads = []
    for head in range(p.shape[1]):
        kept = [
            _on_tokens(attention[:, head], leaked[:, head], real)
            for attention, leaked in zip((p, q), leaks, strict=True)
        ]
        heads.append(_js(*kept).masked_fill_(~real, 0))
    return torch.stack(heads, dim=1)


def mean_of_queries(rows: Tensor, chosen: Tensor) -> Tensor:
    """Mean over the chosen queries of each example.

    Parameters
    ----------
    rows : from ``js_per_query``, [N, H, T].
    chosen : which queries count, [N, T], 1 or 0: the mask, or one of ``query_types``.

    Returns
    -------
    [N, H], nats; NaN for an example in which no query is chosen.
    """
    chosen = (chosen.to(rows.device) != 0)[:, None]
    total = rows.masked_fill(~chosen, 0).sum(dim=2, dtype=torch.float64)
    return _rounded(total / chosen.sum(dim=2), rows.dtype)


def query_types(input_ids: Tensor, mask: Tensor, cls_id: int, sep_id: int) -> dict[str, Tensor]:
    """Which queries are the first token, a separator, or any other token.

    Parameters
    ----------
    input_ids, mask : [N, T], the mask as in ``js_divergence``.
    cls_id, sep_id : the tokenizer's ``cls_token_id`` and ``sep_token_id``.

    Returns
    -------
    ``cls``, ``sep``, ``other``: bool [N, T]; together they are the mask.
    """
    real = mask != 0
    cls, sep = real & (input_ids == cls_id), real & (input_ids == sep_id)
    return {"cls": cls, "sep": sep & ~cls, "other": real & ~cls & ~sep}


def _leaked(attention: Tensor, real: Tensor) -> Tensor:
    """Probability that each query gives to padding, [N, H, T]; checks that rows sum to 1."""
    rows = attention.sum(dim=3, dtype=torch.float64)
    low = attention.amin(dim=3)
    query = real[:, None].expand_as(rows)
    if torch.isnan(rows[query]).any():
        raise UserError("attention holds NaN: the model's activations are not finite")
    off = (rows - 1).abs()[query].max().item()
    if not off <= _ROW_SUM or (low[query] < 0).any():
        raise UserError(
            f"attention is no probabilities in float32: a row sums to 1 ± {off:.2g}, or holds a "
            f"negative value; expected rows that sum to 1 within {_ROW_SUM:g}"
        )
    leaked = (attention @ (~real)[:, None, :, None].to(attention.dtype))[..., 0]
    if (leaked[query] > 1 - _ROW_SUM).any():
        raise UserError("attention lies on padding alone: is the mask that of these examples?")
    return leaked


def _on_tokens(attention: Tensor, leaked: Tensor, real: Tensor) -> Tensor:
    """One head's attention [N, T, T] without padding among the keys."""
    kept = attention.masked_fill(~real[:, None], 0)
    # A mask of finite weight leaves a little on padding; other rows keep their bits.
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
    """``js_per_query`` of two models, layer by layer; one layer's attention of each is held.

    Parameters
    ----------
    first, second : encoders as in ``attentions``, on one device; they may be the same.
    batch : inputs of both, with ``attention_mask``.

    Yields
    ------
    [N, H, T], nats, 0 at padding; for ``mean_of_queries``.

    Raises
    ------
    UserError : if a model returns no attention, the models differ in layers, heads or vocabulary,
        or the activations of one are not finite.
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
                rows = js_per_query(p, q, batch["attention_mask"])
            except UserError as error:
                raise UserError(f"layer {layer}: {error}") from None
            del p, q  # before the next layer is computed
            yield rows
            layer += 1


def check_comparable(first: nn.Module, second: nn.Module) -> None:
    """Check that two models' attentions can be compared head by head.

    Raises
    ------
    UserError : if they differ in the number of layers, heads or words.
    """
    for key, words in (
        ("num_hidden_layers", "layers"),
        ("num_attention_heads", "attention heads"),
        ("vocab_size", "words in the vocabulary"),
    ):
        sizes = [getattr(module.config, key, None) for module in (first, second)]
        if sizes[0] != sizes[1]:
            raise UserError(
                f"attention cannot be compared: one model has {sizes[0]} {words}, the other "
                f"{sizes[1]}; both must have the same"
            )
