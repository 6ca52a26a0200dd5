/** The release of k3s that every node runs, and what its binary's SHA-256 is on each architecture. */
export const k3sRelease = {
    // renovate: datasource=github-releases depName=k3s-io/k3s
    version: "v1.35.0+k3s1",
    // From the release's sha256sum-amd64.txt and sha256sum-arm64.txt; a new version needs both anew.
    sha256: {
        x86_64: "959c9310a6ab893958d1c95bc5d7609de9d7884630c8832180f059369b6dc331",
        aarch64: "c0b1673a1f2b740cb7bb08355c885efb6a4aa5c8022e5bb306c621c8c1492883",
    },
} as const;
