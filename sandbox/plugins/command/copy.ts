import { chmodSync, cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join, posix } from "node:path";
import { Archive, Asset, type Properties, reveal, type Value, withoutSecrets } from "../shared/values";
import type { Fields } from "./fields";
import { text } from "./inputs";
import { type RemoteContext, withConnection } from "./remote";
import type { SshClient } from "./ssh";
import { connectionFields, quoted } from "./ssh-config";

const connection = { type: "object", required: true, secret: true, fields: connectionFields } as const;

/** Inputs of command:remote:CopyToRemote. */
export const copyFields: Fields = {
    connection,
    triggers: { type: "list", replaces: true },
    source: { type: "content", required: true },
    remotePath: { type: "string", required: true },
};

/** Inputs of command:remote:CopyFile, which is deprecated. */
export const copyFileFields: Fields = {
    connection,
    triggers: { type: "list" },
    localPath: { type: "string", required: true },
    remotePath: { type: "string", required: true },
};

/** What is there on the other machine. */
type RemoteKind = "none" | "file" | "directory";

async function remoteKind(client: SshClient, path: string): Promise<RemoteKind> {
    if ((await client.sftp([`cd ${quoted(path)}`])).code === 0) {
        return "directory";
    }
    return (await client.sftp([`ls -1 ${quoted(path)}`])).code === 0 ? "file" : "none";
}

/** Commands that make a folder and those around it; those that exist already are no error. */
function makeDirectories(path: string): string[] {
    const parents: string[] = [];
    for (let current = path; current !== "." && current !== "/" && current !== ""; current = posix.dirname(current)) {
        parents.unshift(`-mkdir ${quoted(current)}`);
    }
    return parents;
}

async function transfer(client: SshClient, commands: readonly string[], what: string, to: string): Promise<void> {
    const { code, stderr } = await client.sftp(commands);
    if (code !== 0) {
        throw new Error(`failed to copy ${what} to remote path ${to}: ${stderr.trim()}`);
    }
}

/** New files get the rights that the server's umask leaves, not those that the file has here. */
function openUp(path: string): void {
    if (!statSync(path).isDirectory()) {
        chmodSync(path, 0o666);
        return;
    }
    chmodSync(path, 0o755);
    for (const name of readdirSync(path)) {
        openUp(join(path, name));
    }
}

/** Copies a file to a path; into it, if that is a folder. */
async function copyFile(client: SshClient, staged: string, name: string, remotePath: string): Promise<void> {
    const isDirectory = (await remoteKind(client, remotePath)) === "directory";
    if (isDirectory && name === "") {
        throw new Error(
            `remote path ${remotePath} is a directory; when using a text asset, remotePath must be a file path`,
        );
    }
    const to = isDirectory ? posix.join(remotePath, name) : remotePath;
    const commands = [...makeDirectories(posix.dirname(to)), `put ${quoted(staged)} ${quoted(to)}`];
    await transfer(client, commands, name || "text", to);
}

/** Copies what is in a folder to a folder. */
async function copyContents(client: SshClient, staged: string, to: string): Promise<void> {
    if ((await remoteKind(client, to)) === "file") {
        throw new Error(`remote path ${to} exists but is not a directory`);
    }
    const puts = readdirSync(staged).map((name) => `put -R ${quoted(join(staged, name))} ${quoted(`${to}/`)}`);
    await transfer(client, [...makeDirectories(to), ...puts], "directory", to);
}

async function bytesOf({ content }: Asset | Archive): Promise<Buffer> {
    const response = await fetch(content.uri ?? "");
    if (!response.ok) {
        throw new Error(`failed to read remote asset ${content.uri}: HTTP status ${response.status}`);
    }
    return Buffer.from(await response.arrayBuffer());
}

async function stageAssets(archive: Archive, folder: string): Promise<void> {
    for (const [name, value] of Object.entries(archive.content.assets ?? {})) {
        const path = join(folder, name);
        mkdirSync(dirname(path), { recursive: true });
        if (value instanceof Asset && value.content.text !== undefined) {
            writeFileSync(path, value.content.text);
        } else if ((value instanceof Asset || value instanceof Archive) && value.content.path !== undefined) {
            cpSync(value.content.path, path, { recursive: true });
        } else if (value instanceof Archive && value.content.assets) {
            await stageAssets(value, path);
        } else if (value instanceof Asset) {
            writeFileSync(path, await bytesOf(value));
        }
    }
}

/** Copies a file or folder of this machine. A folder whose path ends in a slash is copied without its own name. */
async function copyPath(client: SshClient, path: string, remotePath: string, folder: string): Promise<void> {
    const staged = join(folder, "staged");
    cpSync(path, staged, { recursive: true, dereference: true });
    openUp(staged);
    if (!statSync(staged).isDirectory()) {
        await copyFile(client, staged, basename(path), remotePath);
        return;
    }
    await copyContents(client, staged, path.endsWith("/") ? remotePath : posix.join(remotePath, basename(path)));
}

async function copyContent(client: SshClient, source: Value, remotePath: string, folder: string): Promise<void> {
    if (!(source instanceof Asset || source instanceof Archive)) {
        throw new Error("either asset or archive must be set");
    }
    const { path, uri, text: literal } = source.content;
    if (path !== undefined) {
        await copyPath(client, path, remotePath, folder);
        return;
    }
    const staged = join(folder, "staged");
    if (source instanceof Archive && source.content.assets) {
        mkdirSync(staged);
        await stageAssets(source, staged);
        openUp(staged);
        await copyContents(client, staged, remotePath);
        return;
    }
    writeFileSync(staged, uri === undefined ? (literal ?? "") : await bytesOf(source));
    openUp(staged);
    await copyFile(client, staged, uri === undefined ? "" : posix.basename(new URL(uri).pathname), remotePath);
}

/**
 * Copies an asset or an archive to another machine.
 *
 * @throws Error when the machine cannot be reached, or does not take it
 */
export async function copyToRemote(state: Properties, context: RemoteContext): Promise<void> {
    const inputs = withoutSecrets(state);
    const remotePath = text(inputs, "remotePath") ?? "";
    const local = text(inputs, "localPath");
    const folder = mkdtempSync(join(tmpdir(), "pulumi-copy-"));
    try {
        await withConnection(state, {}, context, (client) =>
            local === undefined
                ? copyContent(client, reveal(inputs["source"] ?? null), remotePath, folder)
                : copyPath(client, local, remotePath, folder),
        );
    } finally {
        rmSync(folder, { recursive: true, force: true });
    }
}

/** What tells one source from another. */
export function hashOf(state: Properties): string {
    const source = reveal(state["source"] ?? null);
    return source instanceof Asset || source instanceof Archive ? (source.content.hash ?? "") : "";
}
