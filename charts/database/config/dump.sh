# Writes one dump of each database, and one of the users. A dump gets its name when it is complete.
set -euo pipefail
today=$(date +%F)
mkdir -p "/dumps/$today"
dump() {
  local file="/dumps/$today/$1"
  shift
  "$@" --file="$file.part"
  mv "$file.part" "$file"
  echo "$file: $(stat --format=%s "$file") bytes"
}
dump roles.sql pg_dumpall --roles-only
{{- range $name, $_ := .Values.databases }}
dump {{ $name }}.dump pg_dump --format=custom --dbname={{ $name }}
{{- end }}
# Old dumps are deleted only after a new one exists.
find /dumps -mindepth 1 -maxdepth 1 -type d -name '????-??-??' -mtime +{{ .Values.keepDumps }} -exec rm -r {} +
