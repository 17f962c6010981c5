#!/bin/sh
# Says in one line why a checkout cannot be used in this folder; nothing if it can.
#
# Snakemake starts scripts by the path of its Python, .venv/bin/python, which it does not quote; and
# a colon would end a folder of PATH.
LC_ALL=C
export LC_ALL
folder=$(pwd)
# Letters of other scripts are bytes from 128 on.
odd=$(printf %s "$folder" | tr -d 'A-Za-z0-9_./+@%,=~\200-\377-')
if [ -n "$odd" ]; then
    printf '%s\n' "the folder of this checkout is $folder, and jobs cannot be started in a folder \
whose path has any of: $odd; move the checkout"
fi
