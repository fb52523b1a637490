"""What people see of runs: live progress, results, tables, plans and the trace page."""
