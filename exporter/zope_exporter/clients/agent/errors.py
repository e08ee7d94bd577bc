"""What can be wrong with an agent."""


class AgentError(Exception):
    """An agent could not be asked, or gave no answer that can be used: says why, to people."""
