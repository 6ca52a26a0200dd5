/** The release of k3s that every node runs, and what its binary's SHA-256 is on each architecture. */
export const k3sRelease = {
    version: "v1.35.0+k3s1",
    // From the release's sha256sum-amd64.txt and sha256sum-arm64.txt. Renovate finds a checksum's file by the release that
    // the comment above it names, and changes all three together.
    sha256: {
        // k3s of v1.35.0+k3s1
        x86_64: "959c9310a6ab893958d1c95bc5d7609de9d7884630c8832180f059369b6dc331",
        // k3s-arm64 of v1.35.0+k3s1
        aarch64: "c0b1673a1f2b740cb7bb08355c885efb6a4aa5c8022e5bb306c621c8c1492883",
    },
} as const;
