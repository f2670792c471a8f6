"""The text of a policy (etc/policy.yaml) to rules; all its problems are told at once. Pure."""
