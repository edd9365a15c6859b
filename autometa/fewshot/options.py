"""Every tuned number of the room that is not an option of one learner, with the origin of its value.

What a caller varies is an argument, an option of a learner (`make`), of its training (`Training`) or of this training
(`TrainingSettings`); these are what nobody has had a reason to vary. A learner's own options stand in its file beside
its paper.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FewShotOptions:
    """Numbers of the trainer, the networks, the learners' mechanics and the data sets.

    "Judgement" means: chosen once and not varied in a benchmark.
    """

    # ---------------------------------------------------------------------------------------------- training
    # Seconds between two writes of the checkpoint where no validation step writes it: what a kill may cost. Judgement.
    save_seconds: float = 60.0
    # Steps, and seconds, after which it is said how long a training takes; and the least that is worth saying.
    # Judgement: the first steps warm up, and nobody plans around half a minute.
    estimated_steps: int = 3
    estimated_seconds: float = 1.0
    worth_telling: float = 30.0
    # Share of a new value in the running statistics of the norms. torch's default for batch norm.
    momentum: float = 0.1
    # Adam's decay rates of its two means. Kingma and Ba (2015), torch's defaults. The epsilon, theirs too, keeps the
    # root of Reptile's mean square from 0, and the norm that gradients are clipped by.
    adam_betas: tuple[float, float] = (0.9, 0.999)
    adam_epsilon: float = 1e-8
    # Timed calls of each back end after one that warms up, and seconds after which no further back end is tried.
    # Judgement: on one CPU thread the fastest is 1.1 to 3.4 times as fast as the slowest (benchmarks/fewshot.py
    # --speed), which two calls tell apart.
    timed_calls: int = 2
    tuning_seconds: float = 20.0
    # Episodes that `evaluate` answers at once where it is not told, on a CPU and on a GPU. Judgement: they fit into any
    # memory, and on a GPU into 4 GB at 28 x 28, 20 ways and 15 queries.
    episodes_at_once: int = 8
    episodes_at_once_on_gpu: int = 64
    # Calls of a step before it is recorded on a GPU. PyTorch's notes on CUDA graphs.
    calls_before_recording: int = 3
    # Support examples that are answered at once, times the examples that they were answered by, where some are left
    # out to see what a stranger looks like. Judgement: a few dozen images of 28 x 28 through four convolutions.
    hidden_examples: int = 256
    # Rows that a learner answers at once in a search, and rows and numbers that it adapts to at most: the numbers only
    # where images pass through its network together. Judgement: a GB where 2,000 drawings of 28 x 28 pass through four
    # convolutions; more rows are no few-shot learning.
    answered_at_once: int = 256
    applied_rows: int = 5000
    applied_numbers: int = 1_600_000
    # Spread below which what a learner says of members and strangers is all one. Judgement: rounding of float32.
    sign_spread: float = 1e-4
    # By how much a number of an image may lie outside 0..1. Judgement: rounding, and interpolation that overshoots.
    pixel_slack: float = 0.05
    # Support examples named in an explanation. Judgement: what a person reads.
    explained: int = 3

    # ---------------------------------------------------------------------------------------------- task samplers
    # Tasks proposed for each one that `Similar` and `Curriculum` take. Judgement.
    proposals: int = 4
    # Validation tasks whose mean description is what `similar` aims at. Judgement.
    target_tasks: int = 64

    # ---------------------------------------------------------------------------------------------- networks
    # Added to variances by the norms. torch's default for batch norm.
    norm_epsilon: float = 1e-5
    # Pixels; an image with a shorter side gets two blocks, another four, so that places are kept apart. Measured on
    # 8 x 8 digits, three shots, prototypical networks: accuracy .90 with two blocks, .81 with four.
    small_image: int = 16
    # Images from which the first convolution of grey ones is a product of their patches where tasks come one by one.
    # Measured on 28 x 28 (`benchmarks/fewshot.py --speed`): with 25 and 75 images MAML's step takes .92 to .96 of the
    # time, with 5 no less.
    patched_images: int = 16
    # Slope of the leaky ReLU of ResNet-12 below zero. Oreshkin et al. (2018), Lee et al. (2019).
    leaky_slope: float = 0.1
    # Share of a side by which an image is moved at most where training crops, and by how much brightness, contrast and
    # saturation change at most where it jitters. Chen et al. (2019) and Lee et al. (2019): 8 of 84 pixels, and .4.
    cropped_share: float = 8 / 84
    jittered: float = 0.4
    # Widths of the hidden layers where values are predicted. MAML's for sine waves (Finn et al., 2017).
    regression_widths: tuple[int, ...] = (40, 40)
    # Width of the set encoder that makes a task vector where values are predicted. Judgement.
    set_encoder_width: int = 64

    # ---------------------------------------------------------------------------------------------- learners
    # Gradients below exp(-10) are presented linearly, larger ones by their logarithm. Andrychowicz et al. (2016), p.
    gradient_log_scale: float = 10.0
    # Layers of the learned optimiser's LSTM. Andrychowicz et al. (2016).
    optimizer_layers: int = 2
    # Range from which Meta-SGD draws its first rates. Li et al. (2017).
    meta_sgd_rates: tuple[float, float] = (0.005, 0.1)
    # MANN: what is kept of a row's usage at each step (Santoro et al., 2016, leave it open), what cosines are
    # multiplied by before the softmax (bare ones spread the reading over all 128 rows), and what memory begins with.
    # Judged together, before labels were bound to the rows of their examples: 82.8 % at the second presentation, as
    # published (benchmarks/fewshot.py --train mann).
    mann_usage_decay: float = 0.95
    mann_sharpness: float = 10.0
    mann_floor: float = 1e-6
    # The length of a row's content at which its cosine counts by 0.7: keys are of length 3 to 6 (40 numbers within
    # -1..1), traces of them a hundredth of that. Judgement: no other was tried to its end.
    mann_row_floor: float = 1.0
    # Matching networks: what cosines are multiplied by at first; it is learned. With bare cosines the likeliest of five
    # ways cannot get more than .65.
    matching_sharpness: float = 10.0
    matching_floor: float = 1e-8  # added to squared lengths and to attention before its logarithm: nothing is 0

    # Heads on embeddings: what squared distances of unit vectors, and least squares of indicators, are multiplied by at
    # first, and the rate of their few numbers where nothing else is learned. Judgement: both lie within 0..4, and the
    # logarithm of a number gets anywhere in some hundred steps.
    head_sharpness: float = 10.0
    head_rate: float = 1e-2

    # ---------------------------------------------------------------------------------------------- data
    # Side of the thumbnails by which classes of images are compared. Judgement.
    thumbnail: int = 4
    # scikit-learn's digits: those up to this one are trained on, and this share of their drawings is for validation.
    # Judgement: seven of ten classes leave three for the test.
    digits_trained: int = 7
    digits_held: float = 0.3
    # Share of the classes of one's own data that is kept for validation, and as many for the test, where nothing says
    # which. Judgement.
    held_classes: float = 0.2
    # Numbers of a vector at most. Judgement: encoders of images and texts make 256 to 4,096.
    most_dimensions: int = 4096
    # Pixels of a side that an encoder is given where it does not say; a side of an image, and numbers of a text, of the
    # one that is built in. Judgement: most encoders of images were trained on 224.
    encoder_side: int = 224
    builtin_side: int = 64
    builtin_numbers: int = 512
    # Examples that are encoded at once, and after how many vectors they are kept: what a kill costs. Letters of a text,
    # on average, without which a column is none. Judgement.
    encoded_at_once: int = 64
    kept_at_once: int = 1024
    text_letters: float = 10.0
    # Omniglot by Lake's split: background alphabets kept for validation, a sixth of them. Judgement.
    held_alphabets: int = 5
    # Columns of an episode of past or made-up tables, and of synthetic ones. Judgement; the set kernel ships for the
    # second (benchmarks/README.md).
    table_columns: int = 16
    synthetic_columns: int = 32
    # Rows kept of one past table, and shares of the families of tables for training and for validation. Judgement.
    table_rows: int = 5000
    table_shares: tuple[float, float] = (0.7, 0.1)
    # Fewest rows of a synthetic support: half as many as its columns. Judgement.
    synthetic_rows: int = 16


OPTIONS = FewShotOptions()
