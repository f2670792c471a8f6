"""Who is next: priority, fair share with decay, age, and quotas of VOs, users and computing elements. Pure."""
