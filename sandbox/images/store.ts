import { createHash } from "node:crypto";
import { createWriteStream, existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { cacheDirectory } from "../../lib/paths";
import { writeFileAtomically } from "../files";
import { type Entry, layerFormat, writeLayer } from "./layer";

/** Image configuration, in the terms of the OCI image specification. */
export interface ImageConfig {
    /** User and group, as a Dockerfile's USER has them. @default root */
    readonly User?: string;
    readonly Entrypoint?: readonly string[];
    readonly Cmd?: readonly string[];
    /** NAME=value, in addition to PATH. */
    readonly Env?: readonly string[];
    readonly WorkingDir?: string;
    readonly ExposedPorts?: readonly string[];
    readonly Volumes?: readonly string[];
}

/** Content by its digest, in the media type's words of the OCI image specification. */
export interface Descriptor {
    readonly mediaType: string;
    readonly digest: string;
    readonly size: number;
}

const directory = join(cacheDirectory, "images");

const sha256 = (content: string) => createHash("sha256").update(content).digest("hex");

/** Architecture of this machine as images name it. */
export const architecture = process.arch === "x64" ? "amd64" : process.arch;

/** Path of the file with a digest's content. */
export function blobPath(digest: string): string {
    return join(directory, "blobs", digest.replace(":", "-"));
}

/** Changes with a layer's content: a path of this machine stands for its content, with its size and time. */
function layerKey(entries: readonly Entry[]): string {
    const copied = entries.flatMap((entry) => ("from" in entry ? [entry.from] : []));
    const times = copied.map((path) => [statSync(path).size, statSync(path).mtimeMs]);
    return sha256(JSON.stringify([layerFormat, entries, times]));
}

/** Stores a layer, unless it is stored already. Layers are not compressed: they never leave this machine. */
async function storeLayer(entries: readonly Entry[]): Promise<Descriptor> {
    const known = join(directory, "layers", layerKey(entries));
    if (existsSync(known)) {
        const descriptor: Descriptor = JSON.parse(readFileSync(known, "utf8"));
        if (existsSync(blobPath(descriptor.digest))) {
            return descriptor;
        }
    }
    const temporary = join(directory, `.${process.pid}.new`);
    const hash = createHash("sha256");
    let size = 0;
    const archive = new PassThrough();
    archive.on("data", (chunk: Buffer) => {
        hash.update(chunk);
        size += chunk.length;
    });
    mkdirSync(join(directory, "blobs"), { recursive: true });
    try {
        const stored = pipeline(archive, createWriteStream(temporary));
        await Promise.all([writeLayer(entries, archive), stored]);
        const digest = `sha256:${hash.digest("hex")}`;
        renameSync(temporary, blobPath(digest));
        const descriptor = { mediaType: "application/vnd.oci.image.layer.v1.tar", digest, size };
        writeFileAtomically(known, JSON.stringify(descriptor));
        return descriptor;
    } finally {
        rmSync(temporary, { force: true });
    }
}

function storeText(mediaType: string, content: string): Descriptor {
    const digest = `sha256:${sha256(content)}`;
    if (!existsSync(blobPath(digest))) {
        writeFileAtomically(blobPath(digest), content);
    }
    return { mediaType, digest, size: Buffer.byteLength(content) };
}

const names = (list: readonly string[] | undefined) =>
    list && Object.fromEntries(list.map((each) => [each, {} as const]));

/**
 * Stores an image.
 *
 * @param labels of the image's config
 * @returns its manifest
 */
export async function storeImage(
    layers: readonly (readonly Entry[])[],
    config: ImageConfig,
    labels: Readonly<Record<string, string>>,
): Promise<Descriptor> {
    const stored: Descriptor[] = [];
    for (const layer of layers) {
        stored.push(await storeLayer(layer));
    }
    const { ExposedPorts, Volumes, Env = [], ...rest } = config;
    const path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
    const configuration = storeText(
        "application/vnd.oci.image.config.v1+json",
        JSON.stringify({
            architecture,
            os: "linux",
            config: {
                ...rest,
                Env: Env.some((each) => each.startsWith("PATH=")) ? Env : [path, ...Env],
                ExposedPorts: names(ExposedPorts),
                Volumes: names(Volumes),
                Labels: labels,
            },
            rootfs: { type: "layers", diff_ids: stored.map(({ digest }) => digest) },
        }),
    );
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    return storeText(mediaType, JSON.stringify({ schemaVersion: 2, mediaType, config: configuration, layers: stored }));
}
