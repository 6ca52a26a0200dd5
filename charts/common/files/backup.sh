#!/bin/sh
# Copies a volume to the home's restic repository, and restores it. Runs in the image restic/restic, whose shell is
# BusyBox's. The first argument is the action. The last line of output, and the container's termination message, is the
# result as JSON.
#
#   CLAIM    <namespace>/<claim>, the tag of its copies       VOLUME   where the volume is mounted
#   HOME_NAME  the home, --host of every whole copy           TARGETS  names of the repositories: main, second
#   COPY     a snapshot's ID, or latest                       TARGET   repository to restore from
#
# In the volume's top folder:
#   .hearth-volume    the volume was restored, or there was nothing to restore: services start without the target
#   .hearth-restore/  id, new/ (the copy), complete (new/ is whole), swapping, out (the data is in old/), old/, undoing
set -eu
export TZ=UTC
umask 077

action=$1
state="${VOLUME:-}/.hearth-restore"
marker="${VOLUME:-}/.hearth-volume"

# Writes a file atomically. Earlier writes are on the disk before it, and it is before the next step.
write() {
    printf '%s\n' "$2" > "$1.part"
    sync -f "${1%/*}"
    mv "$1.part" "$1"
    sync -f "${1%/*}"
}

# Runs the chart's command that converts the copy in $NEW to data, once for each copy. Runs in the chart's image, which
# may not contain restic and jq.
if [ "$action" = load ]; then
    shift
    case ${ACTION:-restore} in
        restore | copy) ;;
        *) exit 0 ;;
    esac
    [ -e "$state/complete" ] && [ -e "$state/${START:-complete}" ] || exit 0
    [ ! -e "$state/swapping" ] || exit 0
    copy=$(cat "$state/complete")
    [ "$(cat "$state/loaded" 2> /dev/null)" != "$copy" ] || exit 0
    NEW="$state/new" "$@"
    write "$state/loaded" "$copy"
    exit 0
fi

secrets=${SECRETS:-/target}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 143' INT TERM
export RESTIC_CACHE_DIR="${RESTIC_CACHE_DIR:-/tmp/cache}" RESTIC_PASSWORD_FILE="$secrets/password" RESTIC_PROGRESS_FPS=0.2
started=$(date +%s)
: > "$work/result"

say() {
    echo "$*" >&2
}

# Adds to the result: name, and value as JSON.
note() {
    jq -c -n --arg name "$1" --argjson value "$2" '{($name): $value}' >> "$work/result"
}

# Prints the result and ends. $1: true or false, $2: a sentence.
finish() {
    jq -c -s --arg action "$action" --arg claim "${CLAIM:-}" --arg message "$2" --argjson ok "$1" \
        --argjson seconds "$(($(date +%s) - started))" '
        {hearth: $action, time: (now | floor | todate)}
        + (if $claim == "" then {} else {$claim} end)
        + {$ok} + (reduce .[] as $each ({}; . * $each)) + {$seconds, $message}' \
        < "$work/result" > "$work/line"
    cat "$work/line"
    # A container without a runtime has no such file.
    head -c 4000 "$work/line" > "${RESULT:-/dev/termination-log}" 2> /dev/null || true
    if [ "$1" = true ]; then exit 0; else exit "${code_of_reason:-1}"; fi
}

# Ends with a failure: reason, sentence.
fail() {
    note reason "$(jq -n --arg text "$1" '$text')"
    [ -z "${target:-}" ] || note target "$(jq -n --arg text "$target" '$text')"
    code_of_reason=1 number=9
    for each in unreachable password full read-only other-home clock locked incomplete none damaged check; do
        number=$((number + 1))
        [ "$1" != "$each" ] || code_of_reason=$number
    done
    finish false "$2"
}

# restic with the repository and credentials of $target. Secrets are in files and the environment, never in arguments.
repository() {
    export RESTIC_REPOSITORY_FILE="$secrets/$target.repository"
    for pair in AWS_ACCESS_KEY_ID:access-key AWS_SECRET_ACCESS_KEY:secret-key AWS_DEFAULT_REGION:region \
        RESTIC_REST_USERNAME:user RESTIC_REST_PASSWORD:password; do
        if [ -e "$secrets/$target.${pair#*:}" ]; then
            export "${pair%%:*}=$(cat "$secrets/$target.${pair#*:}")"
        else
            unset "${pair%%:*}"
        fi
    done
    if [ -e "$secrets/$target.ca" ]; then
        export RESTIC_CACERT="$secrets/$target.ca"
    else
        unset RESTIC_CACERT
    fi
    if [ -e "$secrets/$target.ssh-key" ]; then
        # ssh refuses a key of its own user that others may read.
        cp "$secrets/$target.ssh-key" "$work/ssh-key"
        set -- "$@" -o "sftp.args=-i $work/ssh-key -o IdentitiesOnly=yes -o BatchMode=yes -o ConnectTimeout=20 \
-o ServerAliveInterval=30 -o StrictHostKeyChecking=yes -o UserKnownHostsFile=$secrets/$target.known-hosts"
    fi
    if [ -n "${limit:-}" ]; then
        timeout "$limit" restic "$@" 2> "$work/error"
    else
        restic "$@" 2> "$work/error"
    fi
}

# Succeeds if $target answers and its repository opens. restic itself would retry for a quarter of an hour.
probe() {
    limit=${REACH_LIMIT:-60}
    code=0
    repository cat config --no-lock > /dev/null || code=$?
    limit=
    return "$code"
}

# Sets $reason and $sentence from restic's exit code $1 and its messages.
explain() {
    error=$(tail -c 4000 "$work/error" | tr '\n' ' ')
    # Message of the last attempt, or else the last line of restic's output.
    detail=$(sed -n 's/.*retrying after [^ ]*: //p' "$work/error" | tail -n 1)
    [ -n "$detail" ] || detail=$(sed 's/^.*"message":"//; s/"[,}].*$//; s/^Fatal: //' "$work/error" | grep -v '^ *$' | tail -n 1)
    where="the $target target"
    case $1 in
        10) reason=none sentence="$where has no repository yet: the CronJob backup/repository creates it within the hour" && return ;;
        11) reason=locked sentence="$where is locked by another run; the lock of a dead run is removed after 30 minutes" && return ;;
        12) reason=password sentence="hearth:backup.password does not open $where: set the password that its copies were made with" && return ;;
    esac
    case $error in
        *'no space left'* | *'Insufficient Storage'* | *' 507 '* | *QuotaExceeded* | *StorageFull* | *'isk quota exceeded'*)
            reason=full sentence="$where is full: give it more space, or keep fewer copies (hearth:backup.keep)" ;;
        *RequestTimeTooSkewed* | *'not yet valid'* | *'certificate has expired'*)
            reason=clock sentence="the clock of this node ($(date -u +%FT%TZ)) and that of $where disagree: correct the node's time" ;;
        *'key verification failed'*)
            reason=unreachable sentence="$where answers with another SSH host key than hearth:backup.sftp.hostKey: check that it is yours, then correct the key" ;;
        *'ermission denied'* | *'403 Forbidden'* | *AccessDenied* | *'read-only file system'* | *'ead-only'* | *' 405 '*)
            reason=read-only sentence="$where denies reading or writing with these credentials: check them and their permissions" ;;
        *'401 Unauthorized'* | *SignatureDoesNotMatch* | *InvalidAccessKeyId*)
            reason=password sentence="$where refuses the credentials in hearth:backup: check user and password, or access key and secret key" ;;
        *NoSuchBucket* | *'bucket does not exist'*)
            reason=unreachable sentence="$where has no such bucket: check hearth:backup.target" ;;
        *'no such host'* | *refused* | *timeout* | *'imed out'* | *unreachable* | *'no route'* | *'EOF'* | *'connection'* | *'lookup '* | *' 50'[0-9]* | *'context canceled'* | '')
            reason=unreachable sentence="$where cannot be reached: check its address, the network and that it runs" ;;
        *'does not match hash'* | *'invalid data'* | *'damaged'* | *ciphertext*)
            reason=damaged sentence="$where has damaged data: run restic check on it, and keep its disk as it is" ;;
        *) reason=failed sentence="restic failed on $where" ;;
    esac
    [ -z "$detail" ] || sentence="$sentence ($(printf %s "$detail" | head -c 300))"
}

# Opens the repository of $target and lists this home's copies in $work/copies. Returns 1 with $reason and $sentence.
open() {
    if [ ! -e "$secrets/$target.repository" ]; then
        reason=unreachable sentence="this namespace has no access to the $target target yet: run npx pulumi up"
        return 1
    fi
    probe || { explain $?; return 1; }
    # Locks of dead runs.
    [ "$*" = --no-lock ] || repository unlock > /dev/null || { explain $?; return 1; }
    code=0
    # Each lock is a file, so this finds a target that is read-only or full. Reading does without.
    repository snapshots --json --retry-lock "${RETRY_LOCK:-1h}" "$@" > "$work/all" || code=$?
    if [ "$code" != 0 ]; then
        explain "$code"
        return 1
    fi
    homes=$(jq -r '[.[] | select(.tags // [] | index("hearth")) | .hostname] | unique | join(", ")' "$work/all")
    jq --arg home "$HOME_NAME" '[.[] | select(.hostname == $home and (.tags // [] | index("hearth") | not))
        | .at = (.time | sub("\\.[0-9]+"; "") | fromdate)] | sort_by(.at)' "$work/all" > "$work/copies"
    newest=$(jq '.[-1].at // 0' "$work/copies")
    if [ -z "$homes" ] && [ "$(jq length "$work/all")" != 0 ]; then
        reason=other-home sentence="the $target target holds copies that this program did not make: set hearth:backup.target to an empty place"
        return 1
    fi
    if [ -z "$homes" ] && [ "$action" != repository ]; then
        reason=none sentence="the $target target has no copy yet: the CronJob backup/repository prepares it within the hour"
        return 1
    fi
    if [ -n "$homes" ] && [ "$homes" != "$HOME_NAME" ]; then
        reason=other-home sentence="the $target target belongs to the home $homes, and this is $HOME_NAME: set another hearth:backup.target, or hearth:backup.home where the home was renamed"
        return 1
    fi
    if [ "$newest" -gt $(($(date +%s) + 600)) ]; then
        reason=clock sentence="the clock of this node shows $(date -u +%FT%TZ), and the newest copy is from $(jq -n -r "$newest | todate"): correct the node's time, or remove that copy with restic forget"
        return 1
    fi
}

# Runs restic with --json, its progress every few seconds. Returns restic's exit code; $work/summary has its summary.
watched() {
    {
        code=0
        repository "$@" --json || code=$?
        echo "$code" > "$work/code"
    } | while IFS= read -r line; do
        case $line in
            *'"message_type":"status"'*)
                echo "$line" | jq -c '{hearth: "progress", percent: (.percent_done // 0),
                    bytes: (.bytes_done // .bytes_restored // 0), total: (.total_bytes // 0)}'
                ;;
            *'"message_type":"summary"'*) echo "$line" > "$work/summary" ;;
        esac
    done
    return "$(cat "$work/code")"
}

# Copies ./files and ./databases to $target. restic keeps a copy without the files that it could not read, so a copy
# gets the name of the home only once it is complete.
copy() {
    code=0
    : > "$work/summary"
    # Without --group-by, files would be compared with the newest copy of any claim: their paths are the same.
    set -- backup --host "partial.$HOME_NAME" --tag "$CLAIM" --group-by host,tags --retry-lock "${RETRY_LOCK:-1h}" \
        --exclude-file "$work/exclude"
    [ "${UPLOAD_LIMIT:-0}" = 0 ] || set -- "$@" --limit-upload "$UPLOAD_LIMIT"
    watched "$@" files databases || code=$?
    if [ "$code" = 3 ]; then
        files=$(jq -r 'select(.message_type == "error") | .item' "$work/error" 2> /dev/null | sort -u | head -n 3 | tr '\n' ' ')
        reason=incomplete sentence="files cannot be read, so there is no new copy: $files"
        return 1
    fi
    if [ "$code" != 0 ]; then
        explain "$code"
        return 1
    fi
    repository rewrite "$(jq -r .snapshot_id "$work/summary")" --new-host "$HOME_NAME" --retry-lock "${RETRY_LOCK:-1h}" \
        > "$work/named" || { explain $?; return 1; }
    id=$(sed -n 's/^saved new snapshot //p' "$work/named")
    [ -n "$id" ] || { reason=failed sentence="restic reported no ID of the copy on the $target target"; return 1; }
    note copies "$(jq -n -c --arg target "$target" --arg copy "$id" '{($target): $copy}')"
    note bytes "$(jq .total_bytes_processed "$work/summary")"
    note added "$(jq .data_added_packed "$work/summary")"
    note files "$(jq .total_files_processed "$work/summary")"
}

backup() {
    root=${ROOT:-/copy}
    cd "$root"
    # Databases, which were dumped before.
    printf '%s\n' "$root/files/.hearth-volume" "$root/files/.hearth-restore" > "$work/exclude"
    [ -z "${EXCLUDE:-}" ] || printf '%s\n' "$EXCLUDE" | sed "s#^/*#$root/files/#" >> "$work/exclude"
    [ ! -e "${COPIED:-/copied}/exclude" ] || cat "${COPIED:-/copied}/exclude" >> "$work/exclude"
    worst=
    for target in $TARGETS; do
        say "copying $CLAIM to the $target target"
        if ! { open && copy; }; then
            say "$sentence"
            # The first failing target is reported; later targets are still copied to.
            [ -n "$worst" ] || { worst=$target worst_reason=$reason worst_sentence=$sentence; }
        fi
    done
    if [ -n "$worst" ]; then
        target=$worst
        fail "$worst_reason" "$worst_sentence"
    fi
    finish true "copied"
}

# Succeeds if the volume has data from other programs than this script.
has_data() {
    # A folder that cannot be listed looks empty.
    ls "$VOLUME" > /dev/null || fail failed "the volume of $CLAIM cannot be listed by user $(id -u): check the owner of its top folder"
    for entry in "$VOLUME"/* "$VOLUME"/.[!.]* "$VOLUME"/..?*; do
        case ${entry##*/} in
            lost+found | .hearth-volume | .hearth-restore) continue ;;
        esac
        if [ -e "$entry" ] || [ -L "$entry" ]; then return 0; fi
    done
    [ -e "$state/old" ]
}

# Moves each entry of folder $1 to folder $2, by renames only, so that a second call can continue.
move() {
    for entry in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        name=${entry##*/}
        case $name in
            lost+found | .hearth-volume | .hearth-restore) continue ;;
        esac
        if [ ! -e "$entry" ] && [ ! -L "$entry" ]; then continue; fi
        if [ -e "$2/$name" ] || [ -L "$2/$name" ]; then
            fail failed "$name is in $1 and in $2: a program wrote to the volume meanwhile; move one of them away"
        fi
        mv "$entry" "$2/$name"
    done
}

# Removes an empty folder, and fails for any other.
remove_empty() {
    [ ! -e "$1" ] || rmdir "$1"
}

# Replaces the data, which is moved to old/, with the copy in new/.
swap() {
    if [ ! -e "$state/swapping" ]; then
        [ -e "$state/complete" ] || fail failed "no complete copy is next to the data of $CLAIM: restore one first"
        write "$state/swapping" "$(cat "$state/complete")"
    fi
    copy=$(cat "$state/swapping")
    mkdir -p "$state/old"
    if [ ! -e "$state/out" ]; then
        move "$VOLUME" "$state/old"
        write "$state/out" "$copy"
    fi
    move "$state/new" "$VOLUME"
    write "$marker" "restored $copy $(date -u +%FT%TZ)"
    rm -f "$state/complete"
    remove_empty "$state/new"
    rm -f "$state/swapping"
}

# Restores the data in old/, after a swap or in the middle of one. The restored copy is kept in undone/.
undo() {
    if [ ! -e "$state/old" ] && [ ! -e "$state/swapping" ] && [ ! -e "$state/undoing" ]; then
        # A copy that was restored next to the data and never swapped in.
        if [ -e "$state/new" ]; then
            rm -f "$state/complete"
            rm -rf "$state/new" "$state/id" "$state/loaded" "$state/since" "$state/facts"
            rmdir "$state" 2> /dev/null || true
            finish true "the copy next to the data is deleted; the data was never replaced"
        fi
        fail none "nothing to undo: $CLAIM has no data from before a restore"
    fi
    mkdir -p "$state/old"
    if [ ! -e "$state/undoing" ]; then
        # Data that an earlier undo kept is kept, too.
        [ ! -e "$state/undone" ] || mv "$state/undone" "$state/undone.$started"
        write "$state/undoing" yes
    fi
    rm -f "$state/complete"
    if [ -e "$state/out" ]; then
        mkdir -p "$state/undone"
        [ ! -d "$state/new" ] || move "$state/new" "$state/undone"
        move "$VOLUME" "$state/undone"
        rm -f "$state/out"
        sync -f "$state"
    fi
    move "$state/old" "$VOLUME"
    rm -rf "$state/new" "$state/swapping" "$state/id"
    remove_empty "$state/old"
    rm -f "$state/undoing"
}

# The ID of the copy to restore from $target: $copy. Returns 1 with $reason and $sentence.
choose() {
    # A complete copy next to the data needs no target: the service may be stopped and waiting for it.
    if [ -e "$state/complete" ] && [ "${COPY:-latest}" != latest ]; then
        copy=$(cat "$state/complete")
        case $copy in "$COPY"*) return 0 ;; esac
    fi
    open --no-lock || return 1
    copy=$(jq -r --arg claim "$CLAIM" --arg copy "${COPY:-latest}" '[.[] | select(.tags // [] | index($claim))]
        | if $copy == "latest" then .[-1] else (map(select(.id | startswith($copy))) | last) end | .id // empty' "$work/copies")
    if [ -z "$copy" ]; then
        reason=none
        sentence="the $target target has no copy of $CLAIM"
        [ "${COPY:-latest}" = latest ] || sentence="$sentence with the ID $COPY"
        return 1
    fi
}

# Restores $copy to $state/new. An interrupted call is continued.
beside() {
    if [ "$(cat "$state/complete" 2> /dev/null)" = "$copy" ]; then return 0; fi
    rm -f "$state/complete"
    if [ "$(cat "$state/id" 2> /dev/null)" != "$copy" ]; then rm -rf "$state/new" "$state/loaded"; fi
    mkdir -p "$state/new"
    # The service is running on the same disk, and a full one would harm it.
    needed=$(jq --arg copy "$copy" '[.[] | select(.id == $copy) | .summary.total_bytes_processed // 0] | add / 1024 | floor' "$work/copies")
    room=$(($(df -Pk "$VOLUME" | awk 'END { print $4 }') + $(du -sk "$state/new" | cut -f 1)))
    if [ "$needed" -gt "$room" ]; then
        reason=full sentence="the disk of $CLAIM has $((room / 1024)) MiB free, and the copy needs $((needed / 1024)): make room first"
        return 1
    fi
    write "$state/id" "$copy"
    write "$state/since" "$started"
    code=0
    for part in files databases; do
        watched restore "$copy:/$part" --no-lock --target "$state/new" || code=$?
        # restic cannot always set the owner and times of the top folder, which is not an error; an incomplete file is.
        [ "$code" != 0 ] || continue
        explain "$code"
        case $error in
            *'no space left'*)
                rm -rf "$state/new"
                reason=full sentence="the disk of $CLAIM became full during the restore, and the restored files are deleted: make room first"
                ;;
        esac
        return 1
    done
    jq -c --arg copy "$copy" '.[] | select(.id == $copy) | {bytes: (.summary.total_bytes_processed // 0),
        files: (.summary.total_files_processed // 0), copy: .id[0:8], copied: .time}' "$work/copies" > "$state/facts"
    write "$state/complete" "$copy"
}

# Runs before the first container: an empty volume gets its newest copy, one with data stays unchanged.
prepare() {
    if [ -e "$state/undoing" ]; then undo; fi
    if [ -e "$state/swapping" ]; then swap; fi
    # Left by a pod that ended between its containers; the data may have changed since.
    rm -f "$state/start"
    if [ -e "$marker" ]; then finish true "the volume is as the service left it"; fi
    if has_data; then finish true "the volume has data, which stays as it is"; fi
    missing=none
    for target in $TARGETS; do
        if choose && say "restoring $CLAIM from its copy $(printf %.8s "$copy") on the $target target" && beside; then
            mkdir -p "$state"
            write "$state/start" "$copy"
            note copies "$(jq -n -c --arg target "$target" --arg copy "$copy" '{($target): $copy[0:8]}')"
            if [ "${LOADS:-}" = yes ]; then finish true "the copy is next to the data; the next container loads it"; fi
            start
        fi
        say "$sentence"
        [ "$reason" = none ] || missing="$reason" missing_sentence="$sentence" missing_target="$target"
    done
    if [ "$missing" = none ]; then
        write "$marker" "empty $(date -u +%FT%TZ): no copy"
        finish true "there is no copy of $CLAIM: it starts empty"
    fi
    if [ "${START_EMPTY:-false}" = true ]; then
        write "$marker" "empty $(date -u +%FT%TZ): $missing"
        finish true "it starts empty, because hearth:backup.startEmpty is true: $missing_sentence"
    fi
    target=$missing_target
    fail "$missing" "$CLAIM is empty and waits for its copy: $missing_sentence. To start without one, set hearth:backup.startEmpty to true"
}

# The end of a restore before start.
start() {
    swap
    # A program may have written to the volume during the restore. That data is kept, as hack/restore keeps data.
    if rmdir "$state/old" 2> /dev/null; then rm -rf "$state"; fi
    finish true "restored from the copy $(printf %.8s "$copy")"
}

# Opens the repository of $target, creates it if it does not exist, and lists its copies with ACTION=list. Returns 1 with
# $reason and $sentence.
ready() {
    code=0
    probe || code=$?
    if [ "$code" = 10 ]; then
        say "creating the repository of the $target target"
        code=0
        repository init > /dev/null || code=$?
    fi
    [ "$code" = 0 ] || { explain "$code"; return 1; }
    open || return 1
    if [ -z "$homes" ]; then
        echo "$HOME_NAME" | repository backup --host "$HOME_NAME" --tag hearth --stdin --stdin-filename home > /dev/null ||
            { explain $?; return 1; }
    else
        # hack/status compares it with the times of copies: a target that was emptied looks like a new one.
        note since "$(jq -c --arg target "$target" '[.[] | select(.tags // [] | index("hearth")) | .time
            | sub("\\.[0-9]+"; "") | fromdate] | {($target): (min | todate)}' "$work/all")"
    fi
    if [ "${ACTION:-}" = list ]; then
        jq -c --arg target "$target" '.[] | {claim: .tags[0], copy: .id[0:8], time,
            bytes: (.summary.total_bytes_processed // 0), files: (.summary.total_files_processed // 0), $target}' "$work/copies"
    fi
}

case $action in
    backup) backup ;;
    prepare) prepare ;;
    start)
        # Runs after the container that loaded the copy.
        if [ ! -e "$state/start" ]; then finish true "nothing was to be restored"; fi
        copy=$(cat "$state/start")
        start
        ;;
    restore | drill)
        target=${TARGET:-main}
        [ "$action" = drill ] || action=${ACTION:-restore}
        case ${ACTION:-restore} in
            restore | copy)
                if [ -e "$state/undoing" ]; then fail failed "an undo of $CLAIM was interrupted: rerun hack/restore --undo"; fi
                if [ -e "$state/swapping" ]; then finish true "a restore of $CLAIM was interrupted, and continues"; fi
                if [ -e "$state/old" ]; then
                    fail failed "the data from before the last restore of $CLAIM is still kept: restore it with hack/restore --undo, or delete it with hack/restore --drop"
                fi
                if choose && beside; then
                    note copies "$(jq -n -c --arg target "$target" --arg copy "$copy" '{($target): $copy[0:8]}')"
                    finish true "the copy $(printf %.8s "$copy") is next to the data"
                fi
                fail "$reason" "$sentence"
                ;;
            file)
                case /$FILE/$TO/ in
                    *//* | */../*) fail failed "FILE and TO are paths in the volume, without a slash at their ends and without .." ;;
                esac
                [ ! -e "$VOLUME/$TO/$FILE" ] || fail failed "$TO/$FILE exists in $CLAIM: restore to another folder"
                choose || fail "$reason" "$sentence"
                pattern=$(printf %s "/$FILE" | sed 's/[][*?\\]/\\&/g')
                for part in files databases; do
                    code=0
                    watched restore "$copy:/$part" --no-lock --target "$VOLUME/$TO" --include "$pattern" || code=$?
                    if [ "$code" != 0 ]; then
                        explain "$code"
                        fail "$reason" "$sentence"
                    fi
                done
                [ -e "$VOLUME/$TO/$FILE" ] || fail none "the copy $copy of $CLAIM has no $FILE"
                finish true "restored $FILE to $TO"
                ;;
            *) finish true "nothing to fetch" ;;
        esac
        ;;
    swap)
        action=${ACTION:-restore}
        case ${ACTION:-restore} in
            restore)
                swap
                finish true "restored; the previous data is kept in .hearth-restore/old"
                ;;
            undo)
                undo
                finish true "the previous data is restored; the copy is kept in .hearth-restore/undone"
                ;;
            drop)
                if [ -e "$state/swapping" ] || [ -e "$state/undoing" ]; then
                    fail failed "a restore of $CLAIM was interrupted: complete or undo it before its old data is deleted"
                fi
                rm -rf "$state"
                finish true "deleted the data that restores had set aside"
                ;;
            *) finish true "the copy is next to the data, and complete" ;;
        esac
        ;;
    repository)
        worst= read=
        for target in $TARGETS; do
            if ready; then
                read=yes
            else
                say "$sentence"
                [ -n "$worst" ] || { worst=$target worst_reason=$reason worst_sentence=$sentence; }
            fi
        done
        action=${ACTION:-repository}
        [ -n "$worst" ] || finish true "the repositories open, and are this home's"
        target=$worst
        if [ "$action" = list ] && [ -n "$read" ]; then
            note target "$(jq -n --arg text "$target" '$text')"
            finish true "$worst_sentence"
        fi
        fail "$worst_reason" "$worst_sentence"
        ;;
    prune)
        for target in $TARGETS; do
            open || fail "$reason" "$sentence"
            say "deleting the copies of the $target target that hearth:backup.keep no longer covers"
            # Keeping the newest partial copy saves the next one from reading every file.
            repository forget --host "partial.$HOME_NAME" --group-by host,tags --keep-last 1 --retry-lock "${RETRY_LOCK:-1h}" \
                > /dev/null || { explain $?; fail "$reason" "$sentence"; }
            repository forget --host "$HOME_NAME" --group-by host,tags --keep-tag hearth --keep-daily "$KEEP_DAILY" \
                --keep-weekly "$KEEP_WEEKLY" --keep-monthly "$KEEP_MONTHLY" --prune --retry-lock "${RETRY_LOCK:-1h}" > /dev/null ||
                { explain $?; fail "$reason" "$sentence"; }
        done
        finish true "old copies are deleted"
        ;;
    *)
        echo "backup.sh: unknown action $action" >&2
        exit 2
        ;;
esac
