import { type ChildProcess, spawn } from "node:child_process";
import { createReadStream, lstatSync, readdirSync, readlinkSync } from "node:fs";
import { join, relative } from "node:path";
import { pipeline } from "node:stream/promises";
import { extract, type Header, type Pack, pack } from "tar-stream";

/** Numeric user and group of a path. Default: root. */
export type Owner = readonly [uid: number, gid: number];

interface Placed {
    /** Absolute path in the image. */
    readonly path: string;
    readonly owner?: Owner;
}

/** A file with the given content. */
export interface TextFile extends Placed {
    readonly text: string;
    /** @default 0o644 */
    readonly mode?: number;
}

/** A file of this machine. */
export interface CopiedFile extends Placed {
    /** Absolute path on this machine; another content has another path. */
    readonly from: string;
    /** @default 0o755 */
    readonly mode?: number;
    /** File capabilities, by number, permitted and effective: `setcap cap_…=+ep`. */
    readonly capabilities?: readonly number[];
    /** True if the file capabilities are inheritable, too: `=+eip`. */
    readonly inheritable?: boolean;
}

/** An empty folder. */
export interface Folder extends Placed {
    /** Permission bits, with the sticky bit. */
    readonly mode: number;
}

/** A symbolic link. */
export interface Link extends Placed {
    readonly target: string;
}

/** A folder of this machine with all its contents. */
export interface CopiedFolder extends Placed {
    /** Absolute path on this machine; another content has another path. */
    readonly tree: string;
}

/** The files of a Debian package, as `dpkg --unpack` extracts them: no script of the package runs. */
export interface Package {
    /** Absolute path of the .deb file, which has version and architecture in its name. */
    readonly package: string;
}

/** Raised when {@link writeLayer} produces other output for the same entries: no layer is then taken from the cache. */
export const layerFormat = 1;

/** One thing in a layer. */
export type Entry = TextFile | CopiedFile | Folder | Link | CopiedFolder | Package;

type Named = Partial<Header> & Pick<Header, "name">;

/** Folders of packages that no program reads; copyright files stay. */
const documentation = /^usr\/share\/(doc\/(?!.*\/copyright$)|man\/|info\/|lintian\/|locale\/|bash-completion\/)./;

/** A path in a merged /usr. Debian 12's packages still name /bin, /lib and so on. */
function merged(path: string): string {
    return path.replace(/^(bin|sbin|lib|lib32|lib64|libx32)(?=\/|$)/, "usr/$1");
}

/** Value of the attribute security.capability: the kernel's struct vfs_cap_data, revision 2. */
function capabilityAttribute({ capabilities = [], inheritable }: CopiedFile): string {
    const effective = 1;
    const revision = 0x02000000;
    const mask = capabilities.reduce((bits, each) => bits | (1n << BigInt(each)), 0n);
    const value = Buffer.alloc(20);
    value.writeUInt32LE(revision | effective, 0);
    for (const half of [0, 1]) {
        const bits = Number((mask >> BigInt(32 * half)) & 0xffffffffn);
        value.writeUInt32LE(bits, 4 + 8 * half);
        value.writeUInt32LE(inheritable ? bits : 0, 8 + 8 * half);
    }
    return value.toString("latin1");
}

const ended = (child: ChildProcess) =>
    new Promise<number>((resolve, reject) => {
        child.once("error", reject);
        child.once("close", (code) => resolve(code ?? 1));
    });

/** Writes the entries of one layer into a tar archive; equal entries produce equal bytes. */
class LayerWriter {
    readonly #folders = new Set<string>();

    constructor(readonly archive: Pack) {}

    async add(entry: Entry): Promise<void> {
        if ("package" in entry) {
            await this.#package(entry.package);
        } else if ("tree" in entry) {
            await this.#tree(entry);
        } else if ("text" in entry) {
            await this.#write({ ...this.#header(entry, entry.mode ?? 0o644), type: "file" }, Buffer.from(entry.text));
        } else if ("from" in entry) {
            await this.#copy(entry.from, { ...this.#header(entry, entry.mode ?? 0o755), ...extended(entry) });
        } else if ("target" in entry) {
            await this.#write({ ...this.#header(entry, 0o777), type: "symlink", linkname: entry.target });
        } else {
            await this.#write({ ...this.#header(entry, entry.mode), type: "directory" });
        }
    }

    #header({ path, owner: [uid, gid] = [0, 0] }: Placed, mode: number): Named {
        const name = path.slice(1);
        return { name: name.includes("/") ? merged(name) : name, mode, uid, gid, mtime: new Date(0) };
    }

    /** Missing parent folders of a path: root's, readable for everyone. */
    async #parents(path: string): Promise<void> {
        const parts = path.split("/").slice(0, -1);
        for (const [index] of parts.entries()) {
            const name = parts.slice(0, index + 1).join("/");
            if (!this.#folders.has(name)) {
                await this.#write({ ...this.#header({ path: `/${name}` }, 0o755), type: "directory" });
            }
        }
    }

    async #write(header: Named, content?: Buffer): Promise<void> {
        const name = header.name.replace(/\/$/, "");
        if (header.type === "directory") {
            this.#folders.add(name);
        }
        await this.#parents(name);
        await new Promise<void>((resolve, reject) => {
            const done = (error?: Error | null) => (error ? reject(error) : resolve());
            if (content) {
                this.archive.entry({ ...header, name }, content, done);
            } else {
                this.archive.entry({ ...header, name }, done);
            }
        });
    }

    async #copy(from: string, header: Named): Promise<void> {
        await this.#parents(header.name);
        const { size } = lstatSync(from);
        await pipeline(createReadStream(from), this.archive.entry({ ...header, type: "file", size }));
    }

    async #tree({ tree, path, owner }: CopiedFolder): Promise<void> {
        const entries = readdirSync(tree, { recursive: true, withFileTypes: true }).sort((one, other) =>
            join(one.parentPath, one.name) < join(other.parentPath, other.name) ? -1 : 1,
        );
        for (const each of entries) {
            const from = join(each.parentPath, each.name);
            const to = { path: join(path, relative(tree, from)), ...(owner && { owner }) };
            if (each.isDirectory()) {
                await this.add({ ...to, mode: 0o755 });
            } else if (each.isSymbolicLink()) {
                await this.add({ ...to, target: readlinkSync(from) });
            } else {
                await this.add({ ...to, from, mode: lstatSync(from).mode & 0o111 ? 0o755 : 0o644 });
            }
        }
    }

    async #package(file: string): Promise<void> {
        const unpacking = spawn("dpkg-deb", ["--fsys-tarfile", file], { stdio: ["ignore", "pipe", "inherit"] });
        const exit = ended(unpacking);
        const entries = extract();
        unpacking.stdout.pipe(entries);
        for await (const entry of entries) {
            const name = merged(entry.header.name.replace(/^\.\//, "").replace(/\/$/, ""));
            const known = entry.header.type === "directory" && this.#folders.has(name);
            if (name === "" || known || name === "usr/share/doc" || documentation.test(name)) {
                entry.resume();
                continue;
            }
            const { mode, uid, gid, type, linkname, size } = entry.header;
            const link = type === "link" ? merged((linkname ?? "").replace(/^\.\//, "")) : linkname;
            const header: Named = { name, mode, uid, gid, type, linkname: link, mtime: new Date(0) };
            if (type === "file" || type === "contiguous-file") {
                await this.#parents(name);
                await pipeline(entry, this.archive.entry({ ...header, size }));
            } else {
                entry.resume();
                await this.#write(header);
            }
        }
        if ((await exit) !== 0) {
            throw new Error(`dpkg-deb cannot read ${file}`);
        }
    }
}

function extended(entry: CopiedFile): Partial<Header> {
    return entry.capabilities ? { pax: { "SCHILY.xattr.security.capability": capabilityAttribute(entry) } } : {};
}

/** Writes a layer as an uncompressed tar archive. */
export async function writeLayer(entries: readonly Entry[], to: NodeJS.WritableStream): Promise<void> {
    const archive = pack();
    const written = pipeline(archive, to);
    const writer = new LayerWriter(archive);
    for (const entry of entries) {
        await writer.add(entry);
    }
    archive.finalize();
    await written;
}
