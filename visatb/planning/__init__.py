"""Before anything is paid for: what is trained and answered, what it costs, what the machine must have."""
