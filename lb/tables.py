"""The tables of Logging & Bookkeeping. Who writes and reads which is said at each; statements are in those files."""

from __future__ import annotations

import sqlalchemy as sa

from wms.database import metadata

Id = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def _text(name: str, comment: str = "") -> sa.Column[str]:
    return sa.Column(name, sa.Text, nullable=False, server_default="", comment=comment or None)


jobs = sa.Table(  # written by lb.store
    "lb_jobs", metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("job", sa.Text, nullable=False, unique=True, comment="the unique part of the job's identifier"),
    sa.Column("server", sa.Text, nullable=False, comment="host:port of the identifier"),
    sa.Column("owner", sa.Text, nullable=False, server_default="", comment="canonical DN"),
    sa.Column("state", sa.SmallInteger, nullable=False, server_default="0"),
    sa.Column("type", sa.Text, nullable=False, server_default="", comment="empty: not registered"),
    sa.Column("parent", sa.Text, nullable=False, server_default="", comment="unique part of the parent job"),
    sa.Column("created", sa.Float, nullable=False, comment="time of the first event, epoch s"),
    sa.Column("updated", sa.Float, nullable=False, server_default="0", comment="time of the last accepted"),
    sa.Column("version", sa.Integer, nullable=False, server_default="0", comment="number of its events"),
    sa.Column("record", sa.LargeBinary, nullable=False, server_default="", comment="lb.state.machine.Record"),
    sa.Column("done_code", sa.SmallInteger, nullable=False, server_default="-1"),
    sa.Column("entered", sa.Float, nullable=False, server_default="0", comment="stateEnterTime, epoch s"),
    _text("destination"),
    _text("location", "empty also for `none`, where a job is that has ended"),
    sa.Index("lb_jobs_owner", "owner", "created", "id"),
    sa.Index("lb_jobs_updated", "updated"),
    sa.Index("lb_jobs_parent", "parent", "id", postgresql_where=sa.text("parent <> ''"),
             sqlite_where=sa.text("parent <> ''")),
    sa.Index("lb_jobs_destination", "destination", postgresql_where=sa.text("destination <> ''"),
             sqlite_where=sa.text("destination <> ''")),
    sa.Index("lb_jobs_location", "location", postgresql_where=sa.text("location <> ''"),
             sqlite_where=sa.text("location <> ''")),
)

events = sa.Table(  # written by lb.store
    "lb_events", metadata,
    sa.Column("job", Id, primary_key=True, autoincrement=False, comment="lb_jobs.id"),
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=False, comment="by arrival, from 0"),
    sa.Column("type", sa.SmallInteger, nullable=False),
    sa.Column("source", sa.SmallInteger, nullable=False),
    sa.Column("seqcode", sa.LargeBinary, nullable=False, comment="sorts as the code does"),
    sa.Column("timestamp", sa.Float, nullable=False),
    sa.Column("arrived", sa.Float, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="lb.rows.Body"),
    sa.Index("lb_events_arrived", "arrived"),
    sa.Index("lb_events_timestamp", "timestamp"),
)

tags = sa.Table(  # written by lb.store, for conditions on user tags
    "lb_tags", metadata,
    sa.Column("job", Id, primary_key=True, autoincrement=False, comment="lb_jobs.id"),
    sa.Column("name", sa.Text, primary_key=True, comment="lower case"),
    sa.Column("value", sa.Text, nullable=False, comment="at most 200 characters of it"),
    sa.Index("lb_tags_value", "name", "value", "job"),
)

histograms = sa.Table(  # written by lb.family: the classes of the children heard of, whoever registered first
    "lb_histograms", metadata,
    sa.Column("parent", sa.Text, primary_key=True, comment="unique part"),
    *(sa.Column(name, sa.Integer, nullable=False, server_default="0")
      for name in ("running", "done", "cleared", "aborted")),
)

refused = sa.Table(  # written by lb.store
    "lb_refused", metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
)

zombies = sa.Table(  # written by lb.zombies: jobs that were here
    "lb_zombies", metadata,
    sa.Column("job", sa.Text, primary_key=True, comment="unique part"),
    sa.Column("server", sa.Text, nullable=False, comment="host:port of the identifier"),
    _text("owner", "canonical DN"),
    sa.Column("purged", sa.Float, nullable=False, comment="epoch s"),
)

registrations = sa.Table(  # written by lb.notices.notification_store
    "lb_registrations", metadata,
    sa.Column("id", sa.Text, primary_key=True, comment="unique part of the notification's identifier"),
    sa.Column("owner", sa.Text, nullable=False, comment="canonical DN"),
    sa.Column("identity", sa.LargeBinary, nullable=False, comment="who reads: DN, FQANs, end of the credential"),
    _text("destination", "empty: a stream; https://... or x-msg://topic"),
    sa.Column("conditions", sa.LargeBinary, nullable=False, comment="JSON"),
    sa.Column("flags", sa.Integer, nullable=False, server_default="0"),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("ends", sa.Float, nullable=False, comment="epoch s"),
    _text("secret", "key of the signatures of a web hook"),
    sa.Index("lb_registrations_owner", "owner"),
)

notices = sa.Table(  # written by lb.notices.notification_store: what a registration has yet to be told
    "lb_notices", metadata,
    sa.Column("id", Id, primary_key=True, autoincrement=True),
    sa.Column("registration", sa.Text, nullable=False),
    sa.Column("created", sa.Float, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="JSON"),
    sa.Index("lb_notices_registration", "registration", "id"),
    sqlite_autoincrement=True,
)

samples = sa.Table(  # written by lb.figures.statistics_store: sums in time slots
    "lb_samples", metadata,
    sa.Column("ring", sa.Integer, primary_key=True, autoincrement=False, comment="seconds of a slot"),
    sa.Column("slot", sa.BigInteger, primary_key=True, autoincrement=False, comment="epoch s over ring"),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("destination", sa.Text, primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("total", sa.Float, nullable=False, comment="seconds"),
    sa.Column("squares", sa.Float, nullable=False, comment="square seconds"),
)

counters = sa.Table(  # written by lb.figures.counters
    "lb_counters", metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.BigInteger, nullable=False),
    sa.Column("since", sa.Float, nullable=False, comment="epoch s"),
)

marks = sa.Table(  # what the server remembers of itself: interval of the last dump ...
    "lb_marks", metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
)
