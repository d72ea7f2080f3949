"""What a series will be: forecasters, their choice by backtest, and intervals that hold what they say."""
