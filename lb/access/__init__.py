"""Who may do what: policy, access lists, views; and events over HTTPS, judged before they are stored."""
