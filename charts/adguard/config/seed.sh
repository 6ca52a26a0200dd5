# Writes the initial configuration once; after that AdGuard owns it, except for the home's names.
set -eu
conf=/opt/adguardhome/conf
target=$conf/AdGuardHome.yaml
written=$conf/home-names
if [ -e "$target" ]; then
  echo "$target already exists"
else
  hash=$(printf %s "$ADMIN_PASSWORD" | htpasswd -niB admin | cut -d: -f2)
  sed "s|PASSWORD_HASH|$hash|" /seed/AdGuardHome.yaml > "$target.part"
  mv "$target.part" "$target"
fi
[ -s /seed/names ] || exit 0
touch "$written"
awk -f /seed/names.awk /seed/names "$written" "$target" > "$target.part"
# A run that ends here owns both the old and the new names, whichever the configuration has.
sort -u /seed/names "$written" > "$written.part"
mv "$written.part" "$written"
mv "$target.part" "$target"
cp /seed/names "$written"
