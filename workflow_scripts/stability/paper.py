"""Numbers printed in Mosbach et al. (2021), for comparison with our own."""

# Table 1 (BERT-large, 25 seeds): standard deviation, mean, median and maximum in percent, by task
# and recipe as experiments/stability.yaml names it. The first version of the paper; its MRPC
# column is the mean of accuracy and F1, and "strong" is stopped early on the dev set.
MOSBACH_2021_TABLE_1 = {
    "RTE": {"devlin": [7.2, 52.3, 47.3, 71.1], "strong": [2.4, 70.1, 70.0, 75.5]},
    "MRPC": {"devlin": [5.9, 79.0, 74.8, 89.4], "strong": [0.8, 89.6, 89.5, 91.4]},
    "CoLA": {"devlin": [25.6, 45.6, 59.1, 64.6], "strong": [1.0, 64.6, 64.7, 66.8]},
}
