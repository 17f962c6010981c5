"""The thresholds of the claims, each with its reason. To change one is to change results.

The papers state their claims in words; where a number is ours, it says so.
"""

# --- all claims -----------------------------------------------------------------------------
# Runs of a setting from which a claim about fine-tuning may be supported or contradicted: two
# runs have one degree of freedom, and an interval 12.7 standard errors wide on either side.
LEAST_RUNS = 3
# Seeds per recipe for a claim about failure rates or spread. With 5, Boschloo's test detects a
# failure rate of 40 % against 0 % in 9 % of the experiments, with 10 in 62 %.
LEAST_SEEDS = 10
LEVEL = 0.95

# --- optima -----------------------------------------------------------------------------------
# A run has reached an optimum if its loss is at most this share of ln K, the loss of a constant
# answer. Ours: a run at 0.6 ln K is on the way down, and flat because there is nothing to leave.
OPTIMUM = 0.3
# An optimum ends where the loss has made this share of the way from the end to ln K, so that the
# level is never above that of a constant answer, however high the end's loss. Ours.
WIDTH_LEVEL = 0.2
# Random directions of a radius (Li et al. 2018 draw one or two; 4 give an interval for one run).
LEAST_DIRECTIONS = 4
# Largest radius that is searched, in units of the direction (noise as large as the weights in a
# random one, the length of the run along its own). Ours.
LONGEST = 8.0
# Points between start and end on which a barrier is searched, and on the first epoch's ray. Ours.
PATH_POINTS = 41
RAY_POINTS = 12
# Cells of a grid below which an area is a bound. Ours: counting cells of a disc of 30 errs by up
# to about 10 %.
LEAST_CELLS = 30
# Training examples below which the paper's statements on small data sets apply. Ours: its small
# ones, MRPC and RTE, have 3,668 and 2,490, the others 67,349 and more.
SMALL_TASK = 10_000

# --- Hao et al. (2019) --------------------------------------------------------------------------
# A barrier, as a share of ln K. Ours: 2 % is 0.014 nats for two classes, below what is visible in
# the paper's figures and above the rounding of a bfloat16 surface.
BARRIER = 0.02
# Points of error that training on may cost (non-inferiority margin). Ours.
OVERFITTING_POINTS = 1.0
# "Consistent" surfaces: rank correlation, corrected for attenuation. Ours: a quarter of the
# variance of the ranks.
CONSISTENT = 0.5
# Points of accuracy that a rolled-back group of layers may cost to be called invariant. Ours: the
# paper's low group costs 0.2 to 2.2 points.
INVARIANT_POINTS = 3.0
# |cosine| below which two directions are called nearly orthogonal: within 6 degrees. Ours.
ORTHOGONAL = 0.1

# --- Hao et al. (2020) --------------------------------------------------------------------------
# "Agree": distance as a share of the distance between unrelated examples. Ours.
AGREEMENT = 0.1

# --- Zhou & Srikumar (2022) -----------------------------------------------------------------------
# Pearson correlation of the distances of labels before and after, last layer, from which positions
# are preserved: the paper's own last layers stay above it (section 4.3).
PRESERVED = 0.5

# --- Mosbach et al. (2021) ------------------------------------------------------------------------
# Orders of magnitude between the gradients of successful and failed runs, lowest third of the
# layers. Ours: a factor of 10; the paper's figure shows about 100.
VANISHING_ORDERS = 1.0
# Masked-LM loss, nats above the pre-trained model's, that counts as recovered. Ours: 10 % of
# perplexity.
RECOVERED_NATS = 0.1
# Share of the layers to reset for that, below which forgetting is confined to the top. Ours; the
# paper's 10 of 24 layers are 0.42.
RECOVERED_LAYERS = 0.5
# Points of dev accuracy (standard deviation among runs of equal training loss, without flips of
# single examples) that count as noticeable. Ours.
NOTICEABLE_POINTS = 0.5
# Final training loss of runs that count as fitted, as a share of ln K: see OPTIMUM.
FITTED = 0.3
# Area under the ROC curve of the early sign: better than chance.
CHANCE_AUC = 0.5
