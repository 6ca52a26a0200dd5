import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "../lib/temporary-folder";

/**
 * Calls `use` with the path of a temporary file that only this user can read.
 *
 * @param name of the file
 */
export async function withPrivateFile<T>(
    name: string,
    contents: string,
    use: (path: string) => Promise<T>,
): Promise<T> {
    // In memory if possible.
    const directory = temporaryFolder([process.env["XDG_RUNTIME_DIR"]]);
    try {
        const path = join(directory, name);
        writeFileSync(path, contents, { mode: 0o600 });
        return await use(path);
    } finally {
        rmSync(directory, { recursive: true, force: true });
    }
}
