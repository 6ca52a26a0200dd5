# Writes the first configuration, once: from then on it is AdGuard's own.
set -eu
target=/opt/adguardhome/conf/AdGuardHome.yaml
if [ -e "$target" ]; then
  echo "$target is there"
  exit
fi
hash=$(printf %s "$ADMIN_PASSWORD" | htpasswd -niB admin | cut -d: -f2)
sed "s|PASSWORD_HASH|$hash|" /seed/AdGuardHome.yaml > "$target.part"
mv "$target.part" "$target"
