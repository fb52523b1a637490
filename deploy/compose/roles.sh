#!/bin/sh
# A role and a database for each process, which no other role may connect to. Run by PostgreSQL's image when its data
# folder is new; the passwords are made by the service `setup`.
set -eu
for file in /credentials/passwords/*; do
    role=$(basename "$file")
    [ "$role" != postgres ] || continue
    psql -v ON_ERROR_STOP=1 --quiet --username postgres --dbname postgres \
        -v role="$role" -v password="$(cat "$file")" <<'SQL'
CREATE ROLE :"role" LOGIN PASSWORD :'password';
CREATE DATABASE :"role" OWNER :"role";
REVOKE ALL ON DATABASE :"role" FROM PUBLIC;
SQL
done
psql -v ON_ERROR_STOP=1 --quiet --username postgres --dbname postgres -c 'REVOKE ALL ON DATABASE postgres FROM PUBLIC'
