# Creates a new server's data folder from the dumps in a restored copy. Arguments are for the server.
set -euo pipefail
dumps=$NEW/dumps
part=$NEW/pgdata.part
# An interrupted run has created the folder completely, or not at all. The dumps stay until it has.
if [ -e "$NEW/pgdata" ]; then
  rm -rf "$dumps"
  exit 0
fi
rm -rf "$part"
socket=$(mktemp -d)
initdb --pgdata="$part" --username=postgres --data-checksums > /dev/null
# Same steps as the image's entrypoint: https://github.com/docker-library/postgres/blob/master/docker-entrypoint.sh
printf '\nhost all all all scram-sha-256\n' >> "$part/pg_hba.conf"
pg_ctl --pgdata="$part" --wait --timeout=300 --log="$socket/log" \
  --options="-c listen_addresses='' -c unix_socket_directories=$socket -c fsync=off $*" start > /dev/null || {
  cat "$socket/log" >&2
  exit 1
}
trap 'pg_ctl --pgdata="$part" --mode=immediate stop > /dev/null || true' EXIT
export PGHOST=$socket PGUSER=postgres PGDATABASE=postgres
# The superuser exists. Each database that follows belongs to one of the others.
sed '/^CREATE ROLE postgres;$/d' "$dumps/roles.sql" | psql --no-psqlrc --quiet --set=ON_ERROR_STOP=1 > /dev/null
for dump in "$dumps"/*.dump; do
  [ -e "$dump" ] || continue
  pg_restore --create --exit-on-error --dbname=postgres "$dump"
  echo "loaded ${dump##*/}"
done
trap - EXIT
pg_ctl --pgdata="$part" --mode=fast --wait stop > /dev/null
# The server ran without fsync, so its writes are flushed here.
sync
mv "$part" "$NEW/pgdata"
sync
rm -rf "$dumps" "$socket"
