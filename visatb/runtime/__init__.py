"""How a job behaves: whole files, digests, locks, progress, logs, tables, devices and processes."""
