# The blocks of requirements.lock (second file) whose names are listed in the first.
NR == FNR { wanted[$1]; next }
/^[a-z0-9]/ { split($1, name, "=="); listed = name[1] in wanted }
listed
