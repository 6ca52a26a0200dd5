# Creates the administrator, or sets the password to what the Secret says.
set -eu
gitea migrate
if gitea admin user list --admin | awk '{ print $2 }' | grep -qx "$ADMIN_NAME"; then
  gitea admin user change-password --username "$ADMIN_NAME" --password="$ADMIN_PASSWORD" --must-change-password=false
else
  gitea admin user create --admin --username "$ADMIN_NAME" --email "$ADMIN_EMAIL" --password="$ADMIN_PASSWORD" \
    --must-change-password=false
fi
