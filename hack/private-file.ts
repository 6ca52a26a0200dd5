import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/**
 * Calls `use` with the path of a file that nobody else can read, and that is there for that long.
 *
 * @param name of the file
 */
export async function withPrivateFile<T>(
    name: string,
    contents: string,
    use: (path: string) => Promise<T>,
): Promise<T> {
    const directory = mkdtempSync(join(process.env["XDG_RUNTIME_DIR"] ?? tmpdir(), "hearth-"));
    try {
        const path = join(directory, name);
        writeFileSync(path, contents, { mode: 0o600 });
        return await use(path);
    } finally {
        rmSync(directory, { recursive: true, force: true });
    }
}
