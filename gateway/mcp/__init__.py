"""MCP over streamable HTTP at `/mcp`."""
