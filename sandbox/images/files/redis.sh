#!/bin/sh
# Redis' and Valkey's images take options of the server, or a program.
set -e
case ${1:-} in
    -*) set -- redis-server "$@" ;;
esac
exec "$@"
