#!/bin/bash
# Sends the log file to standard output, as upstream's entry point does.
set -eu
log=/config/qBittorrent/logs/qbittorrent.log
if [ ! -f "$log" ]; then
    mkdir -p "${log%/*}"
    ln -sf /proc/self/fd/1 "$log"
fi
exec /app/qbittorrent-nox --webui-port="$QBT_WEBUI_PORT" "$@"
