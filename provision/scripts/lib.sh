# shellcheck shell=bash
# Functions that every script uses; prepended to each. The assignments before it are the script's input.
set -euo pipefail
# A pipe into write_file counts its change here, not in a subshell.
shopt -s inherit_errexit lastpipe
umask 022
export LC_ALL=C DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=a

: "${node:?}"
changes=0

# Everything printed is for a person and goes to stderr with the node's name in front; descriptor 3 is the result.
exec 3>&1 1> >(exec sed --unbuffered "s/^/[$node] /" >&2) 2>&1
prefixer=$!

finish() {
    local code=$?
    if ((code == 0 && changes == 0)); then
        echo "unchanged"
    fi
    # Pulumi records the step as done, and does not repeat it: a power cut a second later must not undo it.
    if ((changes > 0)); then sync --file-system /etc || code=1; fi
    exec 1>&- 2>&-
    wait "$prefixer" || true
    exit "$code"
}
trap finish EXIT

# say TEXT: reports progress.
say() { printf '%s\n' "$*"; }

# changed TEXT: reports a change.
changed() {
    changes=$((changes + 1))
    say "changed: $*"
}

# die TEXT: ends the script; TEXT states what happened and what to do.
die() {
    printf '%s\n' "$*"
    exit 1
}

# result TEXT: passes TEXT to the program without showing it.
result() { printf '%s' "$1" >&3; }

# One script at a time changes a node, here or (member.sh) in the API: one whose connection was interrupted may still run.
if [[ ${1:-} != look ]]; then
    exec 9>"/run/hearth-${member:-$node}.lock"
    if ! flock --nonblock 9; then
        say "waiting for an interrupted run that is still active on this node"
        flock --timeout 900 9 || die "another run is still active on $node: see \`ps -ef\` there, and rerun \`pulumi up\`"
    fi
fi

# A session that gets here proves that sshd and the firewall, if they have just changed, accept new sessions.
if systemctl --quiet is-active hearth-access-revert.timer 2>/dev/null; then
    systemctl stop hearth-access-revert.timer
    rm -f /etc/hearth/unconfirmed
    changed "a new session confirmed access"
fi

# write_file PATH MODE <TEXT: writes a file atomically if its content or mode differs. $written is then yes.
write_file() {
    local path=$1 mode=$2 text
    text=$(cat && printf x)
    text=${text%x}
    written=no
    if [[ -f $path && ! -L $path ]] && ((8#$(stat -c %a "$path") == 8#$mode)) && printf '%s' "$text" | cmp -s - "$path"; then
        return
    fi
    mkdir -p "$(dirname "$path")"
    # Always the same name: the next run reuses the file of a run that was interrupted here.
    local new=$path.hearth-new
    (umask 077 && rm -f "$new" && printf '%s' "$text" >"$new")
    chmod "$mode" "$new"
    sync "$new"
    mv -fT "$new" "$path"
    # shellcheck disable=SC2034 # for the scripts
    written=yes
    changed "$path"
}

# remove_file PATH: deletes a file if it exists.
remove_file() {
    if [[ -e $1 || -L $1 ]]; then
        rm -f "$1"
        changed "$1 was deleted"
    fi
}

# enable_timer NAME: starts a systemd timer, now and with the node.
enable_timer() {
    if [[ $(systemctl is-enabled "$1.timer" 2>/dev/null) != enabled ]]; then
        systemctl daemon-reload
        systemctl --quiet enable --now "$1.timer"
        changed "$1.timer"
    fi
}

# wait_until SECONDS WHAT COMMAND…: polls once a second until COMMAND succeeds.
wait_until() {
    local limit=$1 what=$2 end=$((SECONDS + $1))
    shift 2
    until "$@"; do
        if ((SECONDS >= end)); then
            say "$what: not within $limit seconds"
            return 1
        fi
        read -rt 1 <> <(:) || true
    done
}

# patiently COMMAND…: runs a command of apt or dpkg, and waits up to ten minutes for another process that holds their
# locks: a fresh image installs updates by itself. apt waits for one of its three locks at most.
patiently() {
    local output end=$((SECONDS + 600)) waits=no
    until output=$("$@" 2>&1); do
        if [[ ! $output =~ (Could not get lock|Unable to (acquire|lock)|lock (is|was) locked) ]] || ((SECONDS >= end)); then
            say "$output"
            return 1
        fi
        if [[ $waits == no ]]; then say "waiting for another process that installs packages"; fi
        waits=yes
        read -rt 2 <> <(:) || true
    done
}

# install_packages NAME…: installs the Debian packages that are missing.
install_packages() {
    local missing=() package
    for package in "$@"; do
        dpkg-query -W -f '${db:Status-Abbrev}' "$package" 2>/dev/null | grep -q '^ii' || missing+=("$package")
    done
    if ((${#missing[@]} == 0)); then
        return
    fi
    # An interrupted run may have left packages half configured.
    patiently dpkg --configure -a
    patiently apt-get update -q
    patiently apt-get -o Dpkg::Options::=--force-confold install -q -y --no-install-recommends "${missing[@]}" ||
        die "packages cannot be installed: ${missing[*]}. See above, and check that $node reaches its mirror (apt-get update)"
    changed "packages: ${missing[*]}"
}

# fetch SOURCE PATH FILE: copies PATH of hearth:k3s.source, a URL or a directory, to FILE.
fetch() {
    local from=$1/$2
    if [[ $1 == /* ]]; then
        [[ -f $from ]] || die "$from does not exist: copy the release's file there, or correct hearth:k3s.source"
        cp "$from" "$3"
        return
    fi
    # A fresh Debian has no curl.
    command -v curl >/dev/null || install_packages ca-certificates curl
    curl --globoff --fail --silent --show-error --location --retry 5 --retry-all-errors --output "$3" "$1/${2//+/%2B}" ||
        die "$from cannot be fetched: see above; hearth:k3s.source may name a mirror or a directory on the node"
}

# Limit for draining a node. Also the limit for a single request: if the API server knows too little of a
# PodDisruptionBudget, it asks to retry later, which a short request reports as an error.
# shellcheck disable=SC2034 # for the scripts
emptying=(--ignore-daemonsets --delete-emptydir-data --timeout=300s --request-timeout=300s)

# with_cluster COMMAND…: runs kubectl as the cluster's administrator. The credentials are in a file without a name, which
# ends with this script, even if it is killed.
api_server=()
with_cluster() { k3s kubectl --kubeconfig /proc/self/fd/4 --request-timeout=20s "${api_server[@]}" "$@"; }
# Succeeds if the node is cordoned, by this script or by hand.
is_cordoned() { [[ $(with_cluster get node "$node" -o 'jsonpath={.spec.unschedulable}' 2>/dev/null) == true ]]; }
open_cluster() {
    local file
    file=$(umask 077 && mktemp /run/hearth.XXXXXX)
    exec 4<>"$file"
    rm -f "$file"
    printf '%s' "$1" >&4
}

# reach_api ADDRESS…: has with_cluster use the first of these servers that answers.
reach_api() {
    local address
    for address in "$@"; do
        api_server=(--server "https://$address:6443")
        if with_cluster --request-timeout=5s get --raw /readyz >/dev/null 2>&1; then return; fi
    done
    return 1
}
