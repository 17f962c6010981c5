"""Groups of layers. Needs no PyTorch: figures and reports use it too."""

from workflow_scripts.common.errors import UserError


def layer_groups(count: int, groups: dict[str, list[int]] | None = None) -> dict[str, range]:
    """Layers of each layer group.

    Parameters
    ----------
    count : int
        Number of layers with separate weights (``layer_count``).
    groups : dict of str to list of int, optional
        First and last layer of each group by name, both included and counted from 0; None gives
        the thirds "low", "middle", "high" (sizes differ by one at most).

    Raises
    ------
    UserError
        If a group holds a layer that the model lacks, or there are too few layers.
    """
    if groups is None:
        if count < 3:
            raise UserError(
                f"layer groups need 3 layers or more with separate weights, got {count}"
            )
        ends = [count * i // 3 for i in range(4)]
        return {
            name: range(first, last)
            for name, first, last in zip(
                ("low", "middle", "high"), ends[:-1], ends[1:], strict=True
            )
        }
    for name, (first, last) in groups.items():
        if not 0 <= first <= last < count:
            raise UserError(
                f"layer group {name}: got [{first}, {last}], the model has layers 0 to {count - 1}"
            )
    return {name: range(first, last + 1) for name, (first, last) in groups.items()}
