# Creates the accounts that declare everything else, or sets their passwords to those in the Secret.
set -eu
gitea migrate
users=$(gitea admin user list | awk 'NR > 1 { print $2 }')
# account <name> <password> <options of the creation>
account() {
  name=$1 password=$2
  shift 2
  if echo "$users" | grep -qx "$name"; then
    gitea admin user change-password --username "$name" --password="$password" --must-change-password=false
  else
    gitea admin user create --username "$name" --email "$name@$MAIL_DOMAIN" --password="$password" \
      --must-change-password=false "$@"
  fi
}
account "$ADMIN_NAME" "$ADMIN_PASSWORD" --admin
# Nodes pull images that the home built: an account with read access only.
account nodes "$REGISTRY_PASSWORD"
