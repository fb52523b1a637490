"""Who calls: principals, their tokens and mandates, and the keys behind them."""
