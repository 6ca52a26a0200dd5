import { createReadStream, existsSync, statSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { Closeable } from "../http-server";
import { blobPath, type Descriptor } from "./store";

/** Images by repository, such as `docker.io/library/busybox`. Each is served for every tag of its repository. */
export type Images = ReadonlyMap<string, Descriptor>;

const address = /^\/v2\/(?<repository>.+)\/(?<kind>manifests|blobs)\/(?<reference>[^/]+)$/;

/** Digest of the manifest, layer or configuration that a path requests. */
function digestOf(images: Images, { pathname, searchParams }: URL): string | undefined {
    const { repository, kind, reference } = address.exec(pathname)?.groups ?? {};
    if (kind === "blobs" || reference?.startsWith("sha256:")) {
        return reference;
    }
    // containerd names the registry that this one mirrors.
    const host = searchParams.get("ns");
    const names = [...images.keys()];
    const name = names.find((each) => (host ? each === `${host}/${repository}` : each.endsWith(`/${repository}`)));
    return name && images.get(name)?.digest;
}

function answer(images: Images, { method, url = "/" }: IncomingMessage, response: ServerResponse): void {
    const asked = new URL(url, "http://registry");
    if (method !== "GET" && method !== "HEAD") {
        response.writeHead(405).end();
        return;
    }
    if (/^\/v2\/?$/.test(asked.pathname)) {
        response.writeHead(200, { "docker-distribution-api-version": "registry/2.0" }).end();
        return;
    }
    const digest = digestOf(images, asked);
    if (!digest || !/^sha256:[0-9a-f]{64}$/.test(digest) || !existsSync(blobPath(digest))) {
        const code = asked.pathname.includes("/manifests/") ? "MANIFEST_UNKNOWN" : "BLOB_UNKNOWN";
        const errors = [{ code, message: "no image built on this machine has it" }];
        response.writeHead(404, { "content-type": "application/json" }).end(JSON.stringify({ errors }));
        return;
    }
    const manifest = [...images.values()].find((each) => each.digest === digest);
    response.writeHead(200, {
        "content-type": manifest?.mediaType ?? "application/octet-stream",
        "content-length": statSync(blobPath(digest)).size,
        "docker-content-digest": digest,
    });
    if (method === "HEAD") {
        response.end();
    } else {
        createReadStream(blobPath(digest)).pipe(response);
    }
}

/**
 * Serves images as a read-only registry, over plain HTTP: a mirror of every registry of the images.
 *
 * @param host address to listen on: loopback, or one that only this machine's nodes reach
 * @param port a free one, by default
 */
export async function serveImages(
    images: Images,
    host: string,
    port = 0,
): Promise<Closeable & { readonly port: number }> {
    const server = createServer((request, response) => answer(images, request, response));
    await new Promise<void>((resolve, reject) => {
        server.once("error", reject);
        server.listen(port, host, resolve);
    });
    const bound = server.address();
    return {
        port: typeof bound === "object" && bound !== null ? bound.port : port,
        close: () =>
            new Promise((done) => {
                server.close(() => done());
                server.closeAllConnections();
            }),
    };
}
