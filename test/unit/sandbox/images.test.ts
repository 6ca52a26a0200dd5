import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { extract, type Header } from "tar-stream";
import type { Closeable } from "../../../sandbox/http-server";

const cache = mkdtempSync(join(tmpdir(), "hearth-images-"));
const home = process.env["XDG_CACHE_HOME"];
process.env["XDG_CACHE_HOME"] = cache;
// After the variable, which determines the store's folder.
const { writeLayer } = require("../../../sandbox/images/layer") as typeof import("../../../sandbox/images/layer");
const { serveImages } =
    require("../../../sandbox/images/registry") as typeof import("../../../sandbox/images/registry");
const { storeImage } = require("../../../sandbox/images/store") as typeof import("../../../sandbox/images/store");

afterAll(() => {
    rmSync(cache, { recursive: true });
    if (home === undefined) {
        delete process.env["XDG_CACHE_HOME"];
    } else {
        process.env["XDG_CACHE_HOME"] = home;
    }
});

describe("a layer", () => {
    async function headers(entries: Parameters<typeof writeLayer>[0]): Promise<Header[]> {
        const archive = new PassThrough();
        const written = writeLayer(entries, archive);
        const reading = extract();
        archive.pipe(reading);
        const found: Header[] = [];
        for await (const entry of reading) {
            found.push(entry.header);
            entry.resume();
        }
        await written;
        return found;
    }

    it("has the folders above each path, and keeps owner, mode and file capabilities", async () => {
        const from = join(cache, "program");
        writeFileSync(from, "program");
        const program = { path: "/opt/a/program", from, owner: [7, 8], capabilities: [10], inheritable: true } as const;
        const found = await headers([program]);

        expect(found.map(({ name, type, mode }) => [name, type, mode.toString(8)])).toEqual([
            ["opt", "directory", "755"],
            ["opt/a", "directory", "755"],
            ["opt/a/program", "file", "755"],
        ]);
        const { uid, gid, pax } = found[2] as Header & { pax: Record<string, string> };
        expect([uid, gid]).toEqual([7, 8]);
        // As `setcap cap_net_bind_service=+eip` writes it.
        expect(Buffer.from(pax["SCHILY.xattr.security.capability"] ?? "").toString("hex")).toBe(
            "0100000200040000000400000000000000000000",
        );
    });
});

describe("the registry of images", () => {
    let url: string;
    let registry: Closeable;

    beforeAll(async () => {
        const layer = [{ path: "/hello", text: "hello\n" }];
        const image = await storeImage([layer], { User: "7", Entrypoint: ["/hello"] }, { version: "1" });
        const served = await serveImages(new Map([["docker.io/library/hello", image]]), "127.0.0.1");
        registry = served;
        url = `http://127.0.0.1:${served.port}`;
    });

    afterAll(() => registry.close());

    it("serves an image under every tag, with and without docker.io in its name", async () => {
        for (const path of ["manifests/1.2?ns=docker.io", "manifests/latest"]) {
            const response = await fetch(`${url}/v2/library/hello/${path}`);
            const manifest = (await response.json()) as { config: { digest: string }; layers: { digest: string }[] };
            expect(response.headers.get("content-type")).toBe("application/vnd.oci.image.manifest.v1+json");

            const blob = async (digest: string) => (await fetch(`${url}/v2/library/hello/blobs/${digest}`)).text();
            const config = JSON.parse(await blob(manifest.config.digest));
            expect(config.config).toMatchObject({ User: "7", Entrypoint: ["/hello"], Labels: { version: "1" } });
            const layer = manifest.layers[0]?.digest ?? "";
            expect(
                `sha256:${createHash("sha256")
                    .update(await blob(layer))
                    .digest("hex")}`,
            ).toBe(layer);
            expect(config.rootfs.diff_ids).toEqual([layer]);
        }
    });

    it.each([
        ["another registry's image of the same name", "library/hello/manifests/1?ns=quay.io"],
        ["an image that it does not have", "library/other/manifests/1"],
        ["a digest that is none of its images'", `library/hello/manifests/sha256:${"0".repeat(64)}`],
        ["a path instead of a digest", "library/hello/blobs/..%2f..%2fetc%2fpasswd"],
    ])("answers 404 for %s", async (_, path) => {
        const response = await fetch(`${url}/v2/${path}`);
        expect([response.status, await response.text()]).toEqual([404, expect.stringContaining("UNKNOWN")]);
    });

    it("rejects uploads", async () => {
        const response = await fetch(`${url}/v2/library/hello/manifests/1`, { method: "PUT", body: "{}" });
        expect(response.status).toBe(405);
    });
});
