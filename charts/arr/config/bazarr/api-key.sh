# Writes Bazarr's API key into its configuration file, and leaves everything else in it unchanged.
set -eu
file=$1
mkdir -p "$(dirname "$file")"
touch "$file"
awk -v key="$API_KEY" '
  /^[^ #]/ { if (inside && !written) { print "  apikey: " key; written = 1 } inside = /^auth:/ }
  inside && /^  apikey:/ { $0 = "  apikey: " key; written = 1 }
  { print }
  END { if (!written) { if (!inside) print "auth:"; print "  apikey: " key } }
' "$file" > "$file.part"
mv "$file.part" "$file"
