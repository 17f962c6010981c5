"""Files of the model stage, as ``docs/reference/outputs.md`` describes them."""

from workflow_scripts.common.stage import Column, Product

PRODUCTS = (
    Product(
        "model/MODEL/model.safetensors model/MODEL/config.json model/MODEL/tokenizer.json"
        " model/MODEL/tokenizer_config.json model/MODEL/scratch/initI.safetensors "
        "model/MODEL/scratch/initI.digest",
        "`model.safetensors`: float32 weights of the encoder, names without the "
        "architecture's prefix (`embeddings.word_embeddings.weight`, "
        "`encoder.layer.0.…`), with the pooler if the architecture's sequence classifier "
        "has one. `scratch/initI.safetensors`: the same names and shapes, drawn by the "
        "architecture's own initialisation with seed I; shared by all tasks. "
        "`config.json`, `tokenizer.json`, `tokenizer_config.json`: in Hugging Face's "
        "format, without what belongs to another use of the model.",
    ),
    Product(
        "model/MODEL/card.json model/MODEL/digest",
        "`card.json`:",
        (
            Column("name, source", "as configured"),
            Column("revision", "commit of a hub source, else null"),
            Column(
                "sha256",
                "of the source's `model.safetensors` (of several parts: of their names "
                "and digests); null for a random model",
            ),
            Column("license", "as the source's README states it, else null"),
            Column("datasets", "that the model was trained on, as its README lists them", "list"),
            Column(
                "sentence_embeddings",
                "whether its README says that it was trained to embed sentences",
            ),
            Column("random", "whether the weights are random instead of pre-trained"),
            Column("architecture", "Hugging Face's `model_type`"),
            Column("layers, hidden, heads, vocabulary", "sizes"),
            Column("max_length", "longest input in tokens"),
            Column("parameters", "numbers in the encoder"),
            Column(
                "drawn",
                "parameters that the source lacks, drawn with a fixed seed (a pooler, or "
                "all of a random model)",
            ),
            Column("ignored", "what else the source's weights hold (heads of other uses)"),
            Column("digest", "SHA-256 over weights, configuration and tokenizer"),
            Column("provenance", "see below"),
        ),
    ),
)
