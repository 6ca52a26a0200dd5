import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";

function isWhole(file: string): boolean {
    try {
        JSON.parse(readFileSync(file, "utf8"));
        return true;
    } catch {
        return false;
    }
}

/**
 * Removes what a killed run has half written beside a file backend's files. The files themselves are replaced in one
 * step; their attributes (`.attrs`) are written in place before, and while they are cut short, every command of Pulumi
 * ends with nothing but "EOF". Nothing is lost with them: they hold a content type and a checksum.
 *
 * @param folder the backend's
 * @param tell takes a line for each
 */
export function removeHalfWritten(folder: string, tell: (line: string) => void): void {
    const root = join(folder, ".pulumi");
    const files = existsSync(root) ? readdirSync(root, { recursive: true, encoding: "utf8" }) : [];
    for (const file of files.filter((each) => each.endsWith(".attrs") && !isWhole(join(root, each)))) {
        rmSync(join(root, file), { force: true });
        tell(`Removed: ${join(root, file)}, which was cut short when it was written`);
    }
}
