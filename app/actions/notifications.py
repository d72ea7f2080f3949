"""The outbox: planning who is told in the transaction of a change, and delivering what is due."""
