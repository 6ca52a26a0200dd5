/** The release of k3s that every node runs, with its binary's SHA-256 for each architecture. */
export const k3sRelease = {
    version: "v1.36.4+k3s1",
    // From the release's sha256sum-amd64.txt and sha256sum-arm64.txt. Renovate finds a checksum's file by the release that
    // the comment above it names, and changes all three together.
    sha256: {
        // k3s of v1.36.4+k3s1
        x86_64: "835873f37245fc615f547a2fe2af9402a347875f13fa64a1f136de644955ea3f",
        // k3s-arm64 of v1.36.4+k3s1
        aarch64: "c920706346d5ad4e5cd3c7bf1bb09ce71ebe07fec829e513e40f1caf98aed8bb",
    },
} as const;
