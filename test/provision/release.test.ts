import { spawnSync } from "node:child_process";
import { k3sSchema } from "../../config/nodes";
import { k3sRelease } from "../../provision/k3s-release";

const { version, sha256 } = k3sRelease;
const urlOf = (name: string) => `${k3sSchema.parse({}).source}/${encodeURIComponent(version)}/${name}`;

/** True if the release site answers: Jest has to know before it runs a test. */
const isReachable =
    spawnSync(process.execPath, ["-e", "fetch(process.argv[1], { signal: AbortSignal.timeout(20_000) })", urlOf("")])
        .status === 0;

(isReachable ? test : test.skip).each([
    ["sha256sum-amd64.txt", `${sha256.x86_64}  k3s`],
    ["sha256sum-arm64.txt", `${sha256.aarch64}  k3s-arm64`],
])(
    "the pinned k3s is the one that its release site lists in %s (skipped where the site is unreachable)",
    async (name, line) => {
        const response = await fetch(urlOf(name));

        expect(response.status).toBe(200);
        expect((await response.text()).split("\n")).toContain(line);
    },
);
