"""The policy: who may do what, as rules; and the decision about one caller and one action. Pure."""
