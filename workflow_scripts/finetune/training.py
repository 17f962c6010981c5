"""The training loop of a run."""

import logging
import math
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import numpy as np
import pandas as pd
import torch
from torch.nn.functional import cross_entropy

from workflow_scripts.common.errors import UserError
from workflow_scripts.common.progress import progress
from workflow_scripts.finetune.batches import dropout_seed, epoch_batches
from workflow_scripts.finetune.failed import is_failed, majority
from workflow_scripts.finetune.optimizer import load_state, make_optimizer, set_step, state_tensors
from workflow_scripts.finetune.packed import can_train_packed, forward_of
from workflow_scripts.finetune.recipe import Recipe
from workflow_scripts.finetune.schedule import factor
from workflow_scripts.finetune.scores import classification_scores, evaluate
from workflow_scripts.finetune.state import State
from workflow_scripts.finetune.word_rows import WordRows, decay_of, rows_to_train
from workflow_scripts.model.encoder import load_weights, part_of, read_weights
from workflow_scripts.model.text import Encoded

log = logging.getLogger("tunescape")


class Training:
    """A run: a classifier, its data and its recipe, trained epoch by epoch.

    All that is random in an epoch (order of the examples, dropout) follows from ``order`` and the
    epoch's number alone, so that a resumed run computes the same bits as an uninterrupted one.

    Parameters
    ----------
    module : nn.Module
        Classifier on ``device``; trained in place.
    train, dev : Encoded
        Examples; both non-empty.
    classes : int
        Number of classes.
    pad_id : int
        Token that fills up the shorter examples of a batch.
    recipe : Recipe
    order : int
        Seed of the order of the examples and of dropout.
    device : torch.device
        Where the training runs.
    token_budget : int
        Tokens, with padding, in one forward pass over the dev set.
    asked_to_stop : callable
        Returns the name of the signal that requests a stop (``common.stopping``), else None.
    """

    def __init__(
        self,
        module: torch.nn.Module,
        train: Encoded,
        dev: Encoded,
        classes: int,
        pad_id: int,
        recipe: Recipe,
        order: int,
        device: torch.device,
        token_budget: int,
        asked_to_stop: Callable[[], str | None] = lambda: None,
    ) -> None:
        self.module, self.train, self.dev = module, train, dev
        self.classes, self.recipe, self.order = classes, recipe, order
        self.device, self.token_budget = device, token_budget
        self.asked_to_stop = asked_to_stop
        self.forward = forward_of(module, pad_id, device)
        self.words = None
        self.parameters = list(module.parameters())
        if can_train_packed(module, device):
            rows = rows_to_train(train.input_ids, module.config.vocab_size, recipe)
            self.words = WordRows(module, rows)
            self.parameters = [
                self.words.parameter if p is self.words.weight else p for p in self.parameters
            ]
        self.labels = torch.tensor(train.labels, device=device)
        self.majority = majority(dev.labels)
        self.optimizer = make_optimizer(self.parameters, recipe)
        parts = [part_of(n, module.base_model_prefix) for n, _ in module.named_parameters()]
        self.parts = list(dict.fromkeys(parts))
        belongs = [[p == part for p in parts] for part in self.parts]
        self.belongs = torch.tensor(belongs, dtype=torch.float64, device=device)
        self.nothing = torch.zeros(1, device=device)  # gradient of a parameter that has none
        self.steps = recipe.epochs * math.ceil(len(train) / recipe.batch_size)
        if recipe.max_steps is not None:
            self.steps = min(self.steps, recipe.max_steps)

    def run(self, state: State) -> None:
        """Train the epochs that ``state`` lacks, epoch 0 (no step yet) included.

        Once a training or dev loss is infinite or not a number, the run has diverged: that epoch
        is trained to its end and kept as it is, NaN and all; the epochs after it take no steps,
        repeat its weights and scores, and are marked ``diverged``, too. Epochs after
        ``max_steps`` likewise take no steps and repeat the weights of the last that did.

        Raises
        ------
        UserError
            If it was asked to stop; ``state`` then holds every step so far.
        """
        if state.epoch < 0:
            scores = {"epoch": 0, "step": 0, "train_loss": math.nan, **self._dev_scores()}
            scores |= {"diverged": False, "failed": self._failed(scores["accuracy"])}
            state.save(self._weights(), {}, pd.DataFrame(), scores)
        else:
            self._load(read_weights(state.checkpoint(state.epoch)))
            load_state(self.optimizer, state.optimizer())
        begun = state.begun()
        done = state.scores[-1]["step"] + (len(begun.measured) if begun else 0)
        left = 0 if state.scores[-1]["diverged"] else self.steps - done
        ticks = iter(progress(range(left), "steps"))
        for epoch in range(state.epoch + 1, self.recipe.epochs + 1):
            before = state.scores[-1]
            if before["diverged"] or before["step"] == self.steps:
                state.save(
                    None, {}, pd.DataFrame(), {**before, "epoch": epoch, "train_loss": math.nan}
                )
                continue
            history = self._train_epoch(state, before["step"], ticks)
            scores = {
                "epoch": epoch,
                "step": int(history["step"].iloc[-1]),
                "train_loss": float(history["loss"].mean(skipna=False)),
                **self._dev_scores(),
            }
            losses = [*history["loss"], scores["dev_loss"]]
            scores["diverged"] = not all(map(math.isfinite, losses))
            scores["failed"] = scores["diverged"] or self._failed(scores["accuracy"])
            shown = ("epoch", "train_loss", "dev_loss", "accuracy", "majority")
            log.info(
                "epoch %d: training loss %.4f, dev loss %.4f, accuracy %.4f (majority class %.4f)",
                *(scores[name] for name in shown),
            )
            if scores["diverged"]:
                log.warning(
                    "the run diverged in epoch %d (a loss is infinite or not a number): later "
                    "epochs repeat its weights",
                    epoch,
                )
            last = scores["diverged"] or scores["step"] == self.steps
            moments = {} if last else state_tensors(self.optimizer)
            state.save(self._weights(), moments, history, scores)
        next(ticks, None)
        if state.scores[-1]["failed"]:
            log.warning(
                "failed run: its accuracy, %.4f, is no better than that of the majority class, "
                "%.4f; claims give no verdict on it",
                *(state.scores[-1][name] for name in ("accuracy", "majority")),
            )

    def _failed(self, accuracy: float) -> bool:
        return is_failed(accuracy, self.majority)

    def _weights(self) -> dict[str, torch.Tensor]:
        return {name: p.detach() for name, p in self.module.named_parameters()}

    def _load(self, weights: dict[str, torch.Tensor]) -> None:
        load_weights(self.module, weights)
        if self.words is not None:
            self.words.read()

    def _dev_scores(self) -> dict[str, float | list[int]]:
        self.module.eval()
        losses, predictions = evaluate(self.forward, self.dev, self.token_budget)
        scores = classification_scores(self.dev.labels, predictions, self.classes)
        return {
            "dev_loss": float(losses.mean()),
            **scores,
            "majority": self.majority.accuracy,
            "predictions": predictions.tolist(),
        }

    def _train_epoch(self, state: State, done: int, ticks: Iterator[int]) -> pd.DataFrame:
        """Train the epoch after those of ``state``, after ``done`` steps; its rows of the history.

        An interrupted epoch continues after its last step.
        """
        epoch = state.epoch + 1
        recipe = self.recipe
        batches = epoch_batches(
            self.train.lengths, recipe.batch_size, recipe.bucket_batches, self.order, epoch
        )[: self.steps - done]
        steps = range(done + 1, done + 1 + len(batches))
        rates = [
            recipe.learning_rate * factor(step, self.steps, recipe.schedule, recipe.warmup)
            for step in steps
        ]
        columns = ["loss", "gradient_norm", *(f"gradient_norm_{part}" for part in self.parts)]
        self.module.train()
        torch.manual_seed(dropout_seed(self.order, epoch))
        before = np.empty((0, len(columns)))
        begun = state.begun()
        if begun:
            before = begun.measured.to_numpy()
            self._load(begun.weights)
            set_random_state(begun.tensors, self.device)
            load_state(self.optimizer, begun.tensors)
            log.info("going on after step %d", done + len(before))
        measured = []  # stays on the device: reading a number makes the CPU wait for the GPU

        def history() -> pd.DataFrame:
            now = [torch.stack(measured).cpu().numpy()] if measured else []
            return pd.DataFrame(np.concatenate([before, *now]), columns=columns)

        for step, rate, batch in list(zip(steps, rates, batches, strict=True))[len(before) :]:
            next(ticks)
            set_step(self.optimizer, step, rate, recipe)
            measured.append(self._step(batch))
            if asked := self.asked_to_stop():
                random = random_state(self.device)
                state.leave(self._weights(), state_tensors(self.optimizer) | random, history())
                raise UserError(
                    f"stopped by {asked} after step {step} of {self.steps}; nothing is lost: the "
                    "same command continues from there"
                )
        if self.words is not None:
            self.words.decay(decay_of(rates, recipe))
        return pd.DataFrame(
            {
                "step": np.array(steps, np.int64),
                "epoch": np.full(len(batches), epoch, np.int64),
                "learning_rate": rates,
                "examples": [len(batch) for batch in batches],
                "tokens": [int(self.train.lengths[batch].sum()) for batch in batches],
            }
        ).join(history())[
            ["step", "epoch", "learning_rate", "loss", "examples", "tokens", *columns[1:]]
        ]

    def _step(self, batch: np.ndarray) -> torch.Tensor:
        """One step of the optimizer.

        Returns the loss and the norm of the gradient, whole and of each part: float64,
        ``[2 + parts]``, on the device.
        """
        rows = torch.from_numpy(self.train.labels_of(batch))
        labels = self.labels[rows.to(self.device)]
        with self._autocast():
            logits = self.forward(self.train, batch)
        loss = cross_entropy(logits.float(), labels)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        if self.words is not None:
            self.words.take_gradient()
        norms = self._gradient_norms()
        if self.recipe.gradient_clip is not None:
            torch.nn.utils.clip_grads_with_norm_(
                self.parameters, self.recipe.gradient_clip, norms[0].float()
            )
        self.optimizer.step()
        if self.words is not None:
            self.words.write()
        return torch.cat([loss.detach().double()[None], norms])

    def _autocast(self):
        if self.recipe.autocast == "none":
            return nullcontext()
        return torch.autocast(self.device.type, torch.bfloat16)

    def _gradient_norms(self) -> torch.Tensor:
        """Euclidean norm of the gradient, whole and of each part, in one pass over it."""
        gradients = [self.nothing if p.grad is None else p.grad for p in self.parameters]
        norms = torch.stack(torch._foreach_norm(gradients)).double()
        by_part = self.belongs @ norms.square()
        return torch.cat([by_part.sum()[None], by_part]).sqrt()


_RANDOM = "random."


def random_state(device: torch.device) -> dict[str, torch.Tensor]:
    """State of the generators that dropout masks come from, bytes by name."""
    states = {f"{_RANDOM}cpu": torch.get_rng_state()}
    if device.type == "cuda":
        states[f"{_RANDOM}cuda"] = torch.cuda.get_rng_state(device)
    return states


def set_random_state(tensors: dict[str, torch.Tensor], device: torch.device) -> None:
    """Restore a state of ``random_state``, and remove it from ``tensors``."""
    torch.set_rng_state(tensors.pop(f"{_RANDOM}cpu").to(torch.uint8))
    if device.type == "cuda":
        torch.cuda.set_rng_state(tensors.pop(f"{_RANDOM}cuda").to(torch.uint8), device)
