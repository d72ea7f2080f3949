"""Series and samples; see app/tsdb."""
