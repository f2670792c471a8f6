"""What is known of delegated credentials, and how their renewal stands."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_DELEGATIONS: tuple[sa.Column[object], ...] = (
    sa.Column("kind", sa.String(16), nullable=False, server_default="certificate", comment="certificate or token"),
    sa.Column("vo", sa.String(255), nullable=False, server_default=""),
    sa.Column("fqans", sa.Text(), nullable=False, server_default="[]", comment="JSON list, in order"),
    sa.Column("issuer", sa.String(1024), nullable=False, server_default="", comment="of a token, or the CA"),
    sa.Column("limited", sa.Boolean(), nullable=False, server_default=sa.false()),
    sa.Column("strength", sa.Integer(), nullable=False, server_default="0", comment="bits of the key"),
    sa.Column("not_before", sa.Float(), nullable=False, server_default="0", comment="epoch s"),
)
_REGISTRATIONS: tuple[sa.Column[object], ...] = (
    sa.Column("kind", sa.String(16), nullable=False, server_default="certificate", comment="certificate or token"),
    sa.Column("begins", sa.Float(53), nullable=False, server_default="0", comment="epoch s of the life that now runs"),
    sa.Column("warned", sa.Float(53), nullable=False, server_default="0", comment="epoch s, 0: not in this life"),
    sa.Column("renewals", sa.Integer(), nullable=False, server_default="0"),
)


def upgrade() -> None:
    for column in _DELEGATIONS:
        op.add_column("ns_delegations", column)
    op.create_index("ns_delegations_owner", "ns_delegations", ["owner"])
    for column in _REGISTRATIONS:
        op.add_column("registrations", column)
