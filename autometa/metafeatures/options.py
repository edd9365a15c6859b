"""The tuned numbers of the meta-features, each with its meaning and the origin of its value.

They are part of the definitions: values computed with other options cannot be compared with those of this `VERSION`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MetafeatureOptions:
    """How large the samples are that meta-features are computed from, and what the landmarks learn with.

    See Also:
        `autometa.describe`.

    Example:
        >>> OPTIONS.rows, OPTIONS.small_tree_depth
        (50000, 4)
    """

    # --- the sample ---
    # Rows, columns and cells (rows times columns), at most. Measured with `benchmarks/metafeatures.py`: 50,000 x 100 is
    # described in well under a second on one core, and 10,000 x 50 is seen whole.
    rows: int = 50_000
    columns: int = 200
    cells: int = 2_000_000
    # Cells hashed at once, so that they stay in the processor's cache; it changes no value. Judgement, not measured.
    hashed_at_once: int = 32_768

    # --- the small sample, for the trees and the landmarks ---
    # Rows, at most. Measured: a full tree of 1,000 x 64 takes some 40 ms, and four such are grown.
    small_rows: int = 1_000
    # Columns after encoding, at most. As above.
    small_columns: int = 64
    # Rows of every class that has them, so that rare classes are not lost. Judgement, not measured.
    small_class_rows: int = 10
    # Categories of one column that are encoded, the most frequent ones. Judgement, not measured.
    encoded_categories: int = 10
    # Rows of a leaf of a regression tree, at least, as else every row would be a leaf. Judgement, not measured.
    leaf_rows: int = 5

    # --- the vectors of an encoder ---
    # Rows, at most. Judgement: their products cost 500 x 500 x 4,096, some 30 ms.
    embedding_rows: int = 500

    # --- the landmarks ---
    # Folds of their cross-validation: the fewest that leave most rows to learn from. Judgement, not measured.
    folds: int = 3
    # Splits from the root to a leaf of the small tree, at most. Judgement, not measured.
    small_tree_depth: int = 4


OPTIONS = MetafeatureOptions()
