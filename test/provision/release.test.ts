import { k3sSchema } from "../../config/nodes";
import { k3sRelease } from "../../provision/k3s-release";

const { version, sha256 } = k3sRelease;

/** A file of the release; undefined where its site cannot be reached. */
async function fileOfRelease(name: string): Promise<string | undefined> {
    const url = `${k3sSchema.parse({}).source}/${encodeURIComponent(version)}/${name}`;
    try {
        const response = await fetch(url, { signal: AbortSignal.timeout(20_000) });
        return `${response.status} ${await response.text()}`;
    } catch (error) {
        process.stderr.write(`${url} cannot be reached, so nothing is compared: ${(error as Error).message}\n`);
        return undefined;
    }
}

test.each([
    ["sha256sum-amd64.txt", `${sha256.x86_64}  k3s`],
    ["sha256sum-arm64.txt", `${sha256.aarch64}  k3s-arm64`],
])("the pinned k3s is the one that its release site vouches for in %s", async (name, line) => {
    const text = await fileOfRelease(name);
    if (text !== undefined) {
        expect(text.split("\n").map((each) => each.replace(/^200 /, ""))).toContain(line);
    }
});
