"""Numbers printed in Zhou and Srikumar (2022), for comparison with our own."""

# Table 7: accuracy of the probe in percent (mean and standard deviation of five), clusters, whether
# the labels are linear, and Pearson similarity of the geometries of training and test examples
# where they are; of the pre-trained model, then of the fine-tuned one.
_ROWS = """
tiny    POS      90.76 0.24 3936 no - | 91.67 0.29 20 no -
tiny    DEP      86.74 0.22 653 no - | 89.04 0.20 46 yes 0.88
tiny    PS-fxn   74.14 1.42 402 no - | 74.40 0.68 40 yes 0.72
tiny    PS-role  58.38 0.78 46 yes 0.76 | 60.31 0.29 46 yes 0.70
tiny    TREC-50  68.12 0.82 399 no - | 84.04 0.93 51 no -
mini    POS      93.81 0.10 2429 no - | 94.91 0.03 17 yes 0.70
mini    DEP      91.82 0.09 46 yes 0.93 | 93.55 0.07 46 yes 0.86
mini    PS-fxn   82.45 1.07 40 yes 0.77 | 84.25 0.39 40 yes 0.53
mini    PS-role  68.05 1.08 46 yes 0.81 | 71.90 1.06 46 yes 0.59
mini    TREC-50  74.12 1.25 127 no - | 88.36 0.50 52 no -
small   POS      94.26 0.13 17 yes 0.96 | 95.43 0.06 17 yes 0.72
small   DEP      92.93 0.14 46 yes 0.93 | 94.48 0.14 46 yes 0.78
small   PS-fxn   86.26 0.54 40 yes 0.82 | 85.08 0.35 40 yes 0.44
small   PS-role  74.22 1.03 46 yes 0.84 | 74.57 0.61 46 yes 0.54
small   TREC-50  81.32 0.61 113 no - | 89.60 0.22 51 no -
medium  POS      94.40 0.08 17 yes 0.97 | 95.56 0.05 17 yes 0.67
medium  DEP      92.54 0.14 46 yes 0.94 | 94.76 0.20 46 yes 0.79
medium  PS-fxn   86.56 0.41 40 yes 0.80 | 88.45 0.45 40 yes 0.59
medium  PS-role  76.28 1.00 46 yes 0.83 | 78.86 0.58 46 yes 0.58
medium  TREC-50  80.68 1.16 110 no - | 89.80 0.33 52 no -
base    POS      93.39 0.31 17 yes 0.97 | 95.68 0.02 17 yes 0.70
base    DEP      89.39 0.08 46 yes 0.92 | 94.76 0.05 46 yes 0.76
base    PS-fxn   87.75 0.41 40 yes 0.84 | 89.58 0.67 40 yes 0.57
base    PS-role  74.49 0.84 46 yes 0.82 | 81.14 0.26 46 yes 0.52
base    TREC-50  85.24 0.85 162 no - | 90.36 0.32 51 no -
"""
STATES = ("original", "fine_tuned")
KEYS = ("accuracy", "deviation", "clusters", "linear", "similarity")


def _cell(key: str, text: str) -> float | bool | None:
    if key == "linear":
        return text == "yes"
    return None if text == "-" else float(text)


def table_7() -> dict[str, dict[str, dict[str, dict[str, float | bool | None]]]]:
    """The table by model, task and state, as plain values with the keys ``KEYS``."""
    rows: dict[str, dict[str, dict[str, dict[str, float | bool | None]]]] = {}
    for line in _ROWS.strip().splitlines():
        model, task, *cells = line.replace("|", " ").split()
        values = [
            {
                key: _cell(key, text)
                for key, text in zip(KEYS, cells[first : first + 5], strict=True)
            }
            for first in (0, 5)
        ]
        rows.setdefault(model, {})[task] = dict(zip(STATES, values, strict=True))
    return rows


# The paper contradicts itself here.
NOTES = {
    ("small", "POS"): "BERT-small, POS: table 2 of the paper prints 94.25 and 94.43, table 7 94.26 "
    "and 95.43"
}
MODELS = ("tiny", "mini", "small", "medium", "base")
TASKS = ("POS", "DEP", "PS-fxn", "PS-role", "TREC-50")
