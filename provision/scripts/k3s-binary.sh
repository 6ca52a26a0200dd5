# shellcheck shell=bash
# Installs the pinned k3s next to the running one. Nothing is started.
# Input: version; source, a URL or a directory; sha256_x86_64 and sha256_aarch64.
: "${version:?}" "${source:?}" "${sha256_x86_64:?}" "${sha256_aarch64:?}"

main() {
    local architecture name expected folder=/usr/local/lib/hearth/k3s/$version
    architecture=$(uname -m)
    case $architecture in
        x86_64) name=k3s expected=$sha256_x86_64 ;;
        aarch64) name=k3s-arm64 expected=$sha256_aarch64 ;;
        *) die "k3s is not released for $architecture" ;;
    esac
    if sha256sum --check --status <<<"$expected  $folder/k3s" 2>/dev/null; then
        return
    fi
    mkdir -p "$folder"
    local from=$source/$version/$name
    say "fetching $from"
    fetch "$source" "$version/$name" "$folder/k3s.part"
    if ! sha256sum --check --status <<<"$expected  $folder/k3s.part"; then
        local actual
        actual=$(sha256sum "$folder/k3s.part" | cut -d ' ' -f 1)
        rm -f "$folder/k3s.part"
        rmdir "$folder" 2>/dev/null || true
        die "invalid $from: got the SHA-256 $actual, expected $expected (provision/k3s-release.ts). Nothing was installed." \
            "Download the file of $version again from the release site to hearth:k3s.source"
    fi
    chmod 0755 "$folder/k3s.part"
    sync "$folder/k3s.part"
    mv -f "$folder/k3s.part" "$folder/k3s"
    changed "k3s $version"
}

main "$@" </dev/null
