"""What a registry of learned models knows: artefacts, the gate, frozen backtests, drift."""
