# Replaces the database of a restored copy with its newest snapshot.
# https://garagehq.deuxfleurs.fr/documentation/operations/recovering/
set -eu
cd "$NEW"
newest=$(find snapshots -mindepth 1 -maxdepth 1 -type d | sort | tail -n 1)
[ -n "$newest" ] || { echo "the copy has no snapshot of Garage's database" >&2; exit 1; }
[ ! -d "$newest/db.lmdb" ] || newest=$newest/db.lmdb
rm -rf db.lmdb db.lmdb.part
cp -R "$newest" db.lmdb.part
mv db.lmdb.part db.lmdb
