"""What people see of runs: trees, tables and pages."""
