"""Which points are unusual: detectors, their one scale, and what people ask of an anomaly."""
