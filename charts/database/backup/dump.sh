# Writes a dump of each database, and one of the users, to the copy. Without compression: restic compresses, and stores
# unchanged data only once.
set -euo pipefail
dumps=${DUMPS:-/copy/databases/dumps}
mkdir -p "$dumps"
pg_dumpall --roles-only --file="$dumps/roles.sql"
psql --no-psqlrc --dbname=postgres --tuples-only --no-align \
  --command="select datname from pg_database where datallowconn and not datistemplate and datname <> 'postgres'" |
  while IFS= read -r name; do
    pg_dump --format=custom --compress=0 --dbname="$name" --file="$dumps/$name.dump"
    echo "dumped $name: $(stat --format=%s "$dumps/$name.dump") bytes"
  done
