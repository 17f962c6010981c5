"""A callback of Hugging Face's Trainer that keeps what its checkpoints lack.

from workflow_scripts.finetune.callback import SaveTrajectory

trainer = Trainer(..., callbacks=[SaveTrajectory()])
"""

from pathlib import Path
from typing import Any

import pandas as pd
import torch
from transformers import TrainerCallback

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.tables import read_table, write_table
from workflow_scripts.finetune.checkpoints import GRADIENTS, START, STATE, plain_name
from workflow_scripts.model.encoder import part_of


class SaveTrajectory(TrainerCallback):
    """Keeps step 0 with its head, and the gradient norm of every layer at every step.

    In the Trainer's output folder: the folder ``step-0``, as a checkpoint but that
    ``save_total_limit`` does not delete it, and the table ``gradient_norms.parquet`` with ``step``,
    ``gradient_norm`` and ``gradient_norm_PART`` for embeddings, layer00 …, pooler, other and head,
    as far as they are trained. Norms are Euclidean, before clipping.

    Parameters
    ----------
    gradients : bool
        Whether gradient norms are measured; not possible with ``fp16``, which scales gradients.
    """

    def __init__(self, gradients: bool = True) -> None:
        self.gradients = gradients
        self._rows: list[dict[str, float]] = []
        self._squares: dict[str, torch.Tensor] = {}
        self._parts: dict[str, str] = {}
        self._hooks: list[Any] = []

    def on_train_begin(self, args, state, control, model=None, processing_class=None, **kwargs):
        """Save step 0, or go on with the table of a run that is resumed."""
        folder = Path(args.output_dir)
        if state.global_step == 0 and state.is_world_process_zero:
            model.save_pretrained(folder / START)
            if hasattr(processing_class, "save_pretrained"):
                processing_class.save_pretrained(folder / START)
            state.save_to_json(str(folder / START / STATE))
        if not self.gradients:
            return
        if args.fp16:
            raise UserError(
                "SaveTrajectory: got fp16, which scales gradients; expected bf16 or float32, or "
                "SaveTrajectory(gradients=False)"
            )
        self._rows = []
        if state.global_step and (folder / GRADIENTS).is_file():
            table = read_table(folder / GRADIENTS)
            self._rows = table[table["step"] <= state.global_step].to_dict("records")
        inner = model.get_base_model() if hasattr(model, "get_base_model") else model
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                self._parts[name] = part_of(plain_name(name), inner.base_model_prefix)
                self._hooks.append(
                    parameter.register_post_accumulate_grad_hook(self._measure_of(name))
                )

    def _measure_of(self, name: str):
        def measure(parameter: torch.Tensor) -> None:
            # With accumulated gradients the last call before a step has their sum.
            self._squares[name] = parameter.grad.detach().double().square().sum()

        return measure

    def on_pre_optimizer_step(self, args, state, control, **kwargs):
        """Add a row of norms for the step that follows."""
        if not self._squares:
            return
        sums: dict[str, float] = {}
        for name, square in self._squares.items():
            sums[self._parts[name]] = sums.get(self._parts[name], 0.0) + square.item()
        self._squares.clear()
        row = {"step": state.global_step + 1, "gradient_norm": sum(sums.values()) ** 0.5}
        row |= {f"gradient_norm_{part}": square**0.5 for part, square in sums.items()}
        self._rows.append(row)

    def on_save(self, args, state, control, **kwargs):
        """Write the table, so that a run that is killed has it up to its last checkpoint."""
        if self._rows and state.is_world_process_zero:
            write_table(pd.DataFrame(self._rows), Path(args.output_dir) / GRADIENTS)

    def on_train_end(self, args, state, control, **kwargs):
        """Write the table, and measure no more."""
        self.on_save(args, state, control)
        for hook in self._hooks:
            hook.remove()
        self._hooks.clear()
