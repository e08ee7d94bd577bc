"""The dead-man timer: tells people when alerting itself is silent."""
