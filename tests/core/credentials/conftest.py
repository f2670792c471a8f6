"""Makes this folder importable from its subfolders: the builders of certificates stand here."""
