"""The tuned numbers of the task room, each with its meaning and the origin of its value.

None changes what a cell means: words for missing, spellings of numbers and patterns of dates are tables, and stand in
`cells` and `moments`.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TaskOptions:
    """When a text is a number, a sentence or an identifier, when a number is a class, and what a note lists."""

    # --- files ---
    # Bytes from which encoding and dialect are found. Judgement, not measured: some hundred rows of most tables.
    sample_bytes: int = 1 << 16
    # Rows of the sample that are split into cells for every candidate delimiter. Judgement, not measured.
    sample_rows: int = 200
    # Bytes below which PyArrow reads in one thread: on a busy machine, waking threads costs more than they save.
    # Judgement, not measured in a benchmark that was kept.
    threads_from_bytes: int = 1 << 22
    # Seconds that another process may take to read a file, and bytes that it has to read in one of them besides; memory
    # that it has beyond the table. Judgement: many times what the slowest disks and machines take.
    apart_seconds: int = 120
    apart_bytes_a_second: int = 4_000_000
    apart_bytes: int = 2 << 30
    # Different keys up to which PyArrow reads JSON lines, which takes it rows times keys: 9,000 of each took over two
    # minutes. Judgement.
    keys_at_once: int = 1000
    # Bytes of a table from which it is answered part by part, and those of a text that are parsed at once. Judgement: a
    # table of the former takes some 300 MB in one piece; of the latter, a block of PyArrow's and its columns 50 MB.
    batched_from_bytes: int = 1 << 25
    batch_bytes: int = 1 << 23
    # Numbers of a vector, in a cell or in columns of one name: at most, as encoders make 256 to 4,096; and at least, of
    # columns that are taken as one. Judgement.
    most_dimensions: int = 4096
    fewest_dimensions: int = 8
    # Share of control characters in the sample beyond which a file is binary data. Judgement, not measured.
    control_share: float = 0.02
    # A text without a byte order mark is UTF-16 when one half of its bytes, the even or the odd ones, holds zeros in
    # this share of the sample, and the other half at most `wide_other_share` times as many. Judgement, not measured.
    wide_zero_share: float = 0.15
    wide_other_share: float = 0.05
    # Numbers with three digits behind every point from which on points stand between thousands, if nothing else tells.
    # Judgement: of as many fractions with three digits one in ten would end in 0, which most programs leave out.
    pointed_numbers: int = 30
    # Bytes of a text that is no UTF-8 by which its encoding is guessed; the share of its letters that must be usual in
    # an encoding (else charset-normalizer decides), and what another may lack of the best to be named as well.
    # Judgement: `tests/test_task_encoding.py` has twenty languages, of which all are told.
    encoding_bytes: int = 1 << 16
    encoding_letters: float = 0.75
    encoding_close: float = 0.1
    # What stands for a letter that cannot be had. Unicode's own.
    unknown_letter: str = "\ufffd"
    # Share of the bytes beyond ASCII that must be UTF-8 for the others to be strays in it. Judgement: chance makes few.
    utf8_share: float = 0.75
    # Rows above a header, and lines below a table, that may be left out as titles and footers. Judgement.
    rows_above: int = 40
    footer_lines: int = 20
    # Share of the columns of words whose first cell must be one of their words below for the first line to be a row.
    # Judgement: a name of a column is hardly ever a value of it.
    header_words: float = 0.5
    # Cells that span lines whose lines are compared with rows. Judgement, not measured.
    spans_checked: int = 20
    # Whole numbers that name columns as years. Judgement.
    years: tuple[int, int] = (1800, 2200)
    # Letters of a line that a sentence shows, and of another library's message. Judgement.
    letters_shown: int = 60
    sentence_letters: int = 200
    # Share of numbers among the cells below which lines with blanks are text rather than a table. Judgement.
    blanks_number_share: float = 0.5

    # Cells up to the farthest one that a sheet of a workbook may have: the parser takes 32 bytes for each. Judgement:
    # a million rows of 64 columns.
    sheet_cells: int = 1 << 26
    # Cells of a sparse matrix that is made a table: 1 GiB of float64. Judgement, not measured.
    dense_cells: int = 1 << 27
    # How often data may be compressed within compressed data: .csv.gz in a .tar.gz is two. Judgement.
    packed_layers: int = 4
    # Most bytes of a download, the seconds that a server may be silent, and those for all of it. Judgement.
    download_bytes: int = 1 << 31
    download_silence: float = 30.0
    download_seconds: float = 600.0
    # Seconds until a database must answer. Judgement, not measured.
    database_seconds: float = 15.0

    # --- columns ---
    # Cells of numbers that are looked at or copied at once: 8 MiB for each array on the way, whatever the table's size.
    # Judgement, not measured; it changes nothing that is found.
    cells_at_once: int = 1 << 20
    # Texts by which the patterns of dates are tried. Judgement, not measured: a cheap look before the exact one.
    dates_looked_at: int = 50
    # Share of the cells that may be impossible dates (31.02.) or one odd word that repeats. Judgement, not measured.
    impossible_share: float = 0.2
    repeated_share: float = 0.9
    # The same for several odd words that all repeat. Judgement, not measured.
    several_share: float = 0.25
    # Distinct words, and the share of the cells they fill, that a column of numbers may hold besides; they count as
    # missing. Judgement, not measured.
    odd_words: int = 5
    odd_share: float = 0.05
    # Distinct numbers that such a column must exceed: with fewer it holds categories. Judgement, not measured.
    odd_beside: int = 20
    # A column holds free text when it has more distinct texts than this, and either three words on average that seldom
    # repeat (distinct texts exceed this share of the cells), or two that hardly ever do. Judgement, not measured.
    text_distinct: int = 20
    text_three_words_share: float = 0.2
    text_two_words_share: float = 0.9
    # Distinct dates that odd words among them must not outnumber. Judgement, not measured.
    dates_beside: int = 3
    # Texts of a column by which its decimal sign is told. Judgement, not measured.
    decimals_looked_at: int = 1000
    # Words of their own for every row are codes where, digits aside, they have so few shapes, or so many are hashes.
    # Judgement, not measured.
    code_shapes: float = 0.05
    code_hashes: float = 0.8
    # Share of the target's variance that the order of the rows must explain for a count of them to be kept, and the
    # rows from which that is looked at. Judgement, not measured.
    foretold_share: float = 0.1
    foretold_rows: int = 20
    # Rows from which a column of words without a repetition is an identifier. Judgement, not measured.
    identifier_rows: int = 10
    # Categories of a column beyond which a note says so. Judgement, not measured.
    many_categories: int = 100

    # --- hazards ---
    # Share of the rows that must be distinct values of some column for repeated rows to be copies rather than chance,
    # and the rows up to which copies are kept together (dealing that many groups takes a second). Judgement.
    rich_share: float = 0.3
    most_rows_together: int = 50_000
    # Columns that are compared with the target: a millisecond each. Judgement, not measured.
    columns_looked_at: int = 1000
    rows_looked_at: int = 2000
    # Groups of rows that are worth a word. Judgement, not measured.
    fewest_groups: int = 5
    # Correlation with a target of numbers beyond which a column is that target. Judgement, not measured.
    disguise_correlation: float = 0.9999

    # --- later tables ---
    # Share of missing cells in training up to which a column that is wholly missing later is told. Judgement.
    rarely_missing: float = 0.2
    # Share of new ones among the categories of a column of a later table from which that is said. Judgement.
    new_categories_share: float = 0.5
    # Cells or categories that a sentence shows, and categories in the picture of a column. Judgement, not measured.
    unread_shown: int = 3
    pictured_categories: int = 100
    # Rows of which the picture of a table is made, evenly taken. Judgement: deciles to a percent.
    pictured_rows: int = 20_000

    # --- the target ---
    # Whole numbers from 0 or 1 upwards are class codes up to so many classes (beyond, only if all are about equally
    # frequent: the rarest has `code_balance` of the rows of the most frequent), with so many rows for each on average,
    # and if few codes are left out: their span is at most `code_gaps` times their number. Together they agree with the
    # catalogue on 363 of 367 real targets out of CSV files, which `tests/test_task_target.py` counts.
    code_classes: int = 30
    code_rows: int = 10
    code_gaps: float = 1.3
    code_balance: float = 0.8
    # Whole numbers around 0 without a gap (-1, 0, 1) are codes up to so many. Judgement, with the same count.
    signed_classes: int = 11
    # Distinct whole numbers up to which a note says how to have a regression target as classes. Judgement.
    either_classes: int = 100
    # Share of the rows of a text target that must spell numbers for it to be meant as numbers. Judgement.
    target_number_share: float = 0.9
    # Rows of a class, and its share of all rows, below which a note says so. Judgement, not measured.
    rare_class_rows: int = 10
    rare_class_share: float = 0.05

    # --- messages ---
    # Names in a list within a sentence, columns in a problem, ragged rows in a problem. Judgement.
    names_listed: int = 8
    columns_listed: int = 20
    ragged_rows_listed: int = 5

    # --- fingerprint ---
    # Numbers hashed at once: 8 MiB for each array on the way. Judgement, not measured; it changes no fingerprint.
    hashed_at_once: int = 1 << 20


OPTIONS = TaskOptions()
