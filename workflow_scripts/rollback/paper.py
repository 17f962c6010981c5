"""Numbers printed in Hao et al. (2019), for comparison with our own."""

# Table 1: accuracy on the development set in percent, fine-tuned (none) and with layers 0-7,
# 8-15 and 16-23 of BERT-large rolled back.
HAO_2019_TABLE_1 = {
    "MNLI": {"none": 86.54, "low": 86.73, "middle": 84.71, "high": 32.85},
    "RTE": {"none": 75.45, "low": 73.29, "middle": 70.04, "high": 47.29},
    "SST-2": {"none": 94.04, "low": 93.69, "middle": 93.12, "high": 59.29},
    "MRPC": {"none": 90.20, "low": 87.99, "middle": 80.15, "high": 78.17},
}
# The paper also prints the differences; this one does not follow from its accuracies.
HAO_2019_TABLE_1["MNLI"]["note"] = (
    "MNLI, high layers: 32.85 - 86.54 is -53.69; the paper prints -53.88"
)
