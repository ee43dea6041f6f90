"""What one gateway keeps in memory; after a restart it comes back by itself."""
