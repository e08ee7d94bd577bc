"""What is asked over a connection: the agent, ZEO servers, the ZMI, pages over HTTP."""
