#!/bin/sh
# Traefik's image takes flags, a command of Traefik's, or another program.
set -e
case ${1:-} in
    -*) set -- traefik "$@" ;;
    version | healthcheck) set -- traefik "$@" ;;
esac
exec "$@"
