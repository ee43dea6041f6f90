"""The tools that steps can call, one module per tool."""
