"""The API as an MCP server: the tools it offers, and their calls."""
