"""Tasks, and beside each the block of its evaluations."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """From nothing."""
    op.create_table(
        "autometa_task",
        sa.Column("fingerprint", sa.String(128), primary_key=True),
        sa.Column("space", sa.String(128), primary_key=True),
        sa.Column("name", sa.Text, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("metric", sa.Text, nullable=False),
        sa.Column("n_rows", sa.BigInteger, nullable=False),
        sa.Column("n_columns", sa.BigInteger, nullable=False),
        sa.Column("n_classes", sa.BigInteger, nullable=False),
        sa.Column("family", sa.Text),
        sa.Column("openml_id", sa.BigInteger),
        sa.Column("metafeatures", sa.Text),
        sa.Column("created", sa.String(40), nullable=False),
        sa.Column("source", sa.Text, nullable=False),
    )
    op.create_table(
        "autometa_block",
        sa.Column("fingerprint", sa.String(128), primary_key=True),
        sa.Column("space", sa.String(128), primary_key=True),
        sa.Column("evaluations", sa.BigInteger, nullable=False),
        sa.Column("scores", sa.LargeBinary, nullable=False),
        sa.Column("details", sa.LargeBinary, nullable=False),
        sa.ForeignKeyConstraint(
            ["fingerprint", "space"], ["autometa_task.fingerprint", "autometa_task.space"], ondelete="CASCADE"
        ),
    )
    if op.get_bind().dialect.name == "postgresql":  # blocks are compressed already
        op.execute("ALTER TABLE autometa_block ALTER COLUMN scores SET STORAGE EXTERNAL")
        op.execute("ALTER TABLE autometa_block ALTER COLUMN details SET STORAGE EXTERNAL")
