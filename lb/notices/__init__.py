"""Notifications: registered questions, notices in the transaction of the change, and their delivery."""
