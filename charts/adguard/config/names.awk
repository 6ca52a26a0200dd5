# Replaces the rewrites that an earlier run wrote to AdGuardHome.yaml. A rewrite of the same name that somebody made on
# AdGuard's pages stays, and wins.
# Files: "<domain> <address>" to write, the same of the earlier run, and the configuration in the form that AdGuard writes.

function keep() {
  if (entry != "" && !((domain " " answer) in earlier)) {
    kept = kept entry
    taken[domain] = 1
  }
  entry = ""
}

function finish(  i, added) {
  keep()
  for (i = 1; i <= count; i++)
    if (!(domains[i] in taken))
      added = added "    - domain: '" domains[i] "'\n      answer: " addresses[i] "\n      enabled: true\n"
  printf "%s", (kept added == "" ? "  rewrites: []\n" : "  rewrites:\n" kept added)
  listing = 0
}

FNR == 1 { file++ }
file == 1 { count++; domains[count] = $1; addresses[count] = $2; next }
# An empty file has no first line.
FILENAME ~ /home-names$/ { earlier[$1 " " $2] = 1; file = 2; next }

/^[^ ]/ { section = $1 }
listing && !/^(    |  - )/ { finish() }
section == "filtering:" && /^  rewrites:/ { listing = 1; next }
listing {
  if ($0 ~ /^ +- /) keep()
  entry = entry $0 "\n"
  value = $NF
  gsub(/['"]/, "", value)
  if ($0 ~ /domain:/) domain = value
  if ($0 ~ /answer:/) answer = value
  next
}
{ print }
END { if (listing) finish() }
