"""What is durable: one interface, one implementation of it on SQLite."""
